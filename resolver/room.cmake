room_library(resolver resolver.c libunbound)
