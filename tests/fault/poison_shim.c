/* poison_shim.c - preloaded into the processor: messages that kill or hang whoever reads them.
 *
 * No real message is known that does it, so this stands in for one: it wraps the GMime call through
 * which the bytes of every message go, and looks for a magic header in them:
 *   X-Poison: abort   ends the process by SIGABRT
 *   X-Poison: hang    never returns
 * BOUNCEMX_POISON_LOG names a file that gets one line for each such reading, to count the tries. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As GLib lays it out; its headers are not needed for two fields. */
struct byte_array {
    unsigned char *data;
    unsigned len;
};

static void tell(const char *line)
{
    const char *path = getenv("BOUNCEMX_POISON_LOG");
    int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644) : -1;
    if (fd < 0)
        return;
    ssize_t n = write(fd, line, strlen(line));
    (void)n; /* a line that is missing fails the test that counts them */
    close(fd);
}

static void look(const void *bytes, size_t n)
{
    static const char abort_word[] = "\nX-Poison: abort", hang_word[] = "\nX-Poison: hang";
    if (memmem(bytes, n, abort_word, sizeof abort_word - 1)) {
        tell("abort\n");
        abort();
    }
    if (memmem(bytes, n, hang_word, sizeof hang_word - 1)) {
        tell("hang\n");
        for (;;)
            pause();
    }
}

void *g_mime_stream_mem_new_with_byte_array(struct byte_array *array);
void *g_mime_stream_mem_new_with_byte_array(struct byte_array *array)
{
    look(array->data, array->len);
    void *(*real)(struct byte_array *) =
        (void *(*)(struct byte_array *))dlsym(RTLD_NEXT, "g_mime_stream_mem_new_with_byte_array");
    return real(array);
}

void *g_mime_stream_mem_new_with_buffer(const char *buffer, size_t len);
void *g_mime_stream_mem_new_with_buffer(const char *buffer, size_t len)
{
    look(buffer, len);
    void *(*real)(const char *, size_t) =
        (void *(*)(const char *, size_t))dlsym(RTLD_NEXT, "g_mime_stream_mem_new_with_buffer");
    return real(buffer, len);
}
