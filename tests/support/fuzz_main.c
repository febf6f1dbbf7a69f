/* fuzz_main.c - runs a fuzz target once over every file of its corpus folder, for builds without
 * libFuzzer. Usage: fuzz_x FOLDER. Exit 1 when the folder has no file: such a test tests nothing.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        return -1;
    }
    enum { MAX = 4 << 20 };
    uint8_t *data = malloc(MAX);
    if (!data)
        abort();
    size_t n = fread(data, 1, MAX, f);
    fclose(f);
    /* An exact allocation lets ASan see a read behind the end. */
    uint8_t *exact = realloc(data, n ? n : 1);
    if (!exact)
        abort();
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    return 0;
}

int main(int argc, char **argv)
{
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
    if (!dir) {
        fprintf(stderr, "usage: %s CORPUS-FOLDER (%s can't be read)\n", argv[0],
                argc == 2 ? argv[1] : "none given");
        return 2;
    }
    int files = 0, failed = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        files++;
        failed |= run_file(argv[1], e->d_name) < 0;
    }
    closedir(dir);
    printf("%d inputs\n", files);
    return files == 0 || failed ? 1 : 0;
}
