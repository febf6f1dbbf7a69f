room_library(ingest kumomta.c jansson)
# libcsv comes without a file for pkg-config; its header stands in the default place.
find_library(csv csv REQUIRED)
target_link_libraries(bouncemx_ingest PUBLIC ${csv})
