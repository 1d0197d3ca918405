// The floor: the least that a reservation which survives a crash has to do, and nothing else.
// Lock, read the registry, bind the port on both loopback addresses, write the new registry, sync it, put it in the old one's
// place, sync the directory. Runs in the registry's directory: floor PORT
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

static int must(int result, const char *what) { return result < 0 ? (perror(what), exit(1), 0) : result; }

int main(int count, char **arguments) {
    in_port_t port = htons(count > 1 ? atoi(arguments[1]) : 0);
    must(flock(must(open("registry.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600), "lock"), LOCK_EX), "flock");

    static char text[1 << 22];
    int old = must(open("registry.json", O_RDONLY | O_CREAT, 0600), "registry");
    size_t length = must(read(old, text, sizeof text), "read");

    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int v4 = must(socket(AF_INET, SOCK_STREAM, 0), "socket"), v6 = socket(AF_INET6, SOCK_STREAM, 0);
    must(bind(v4, (void *)&four, sizeof four), "bind");
    close(v4);
    if (v6 >= 0 && bind(v6, (void *)&six, sizeof six) == 0) close(v6); // a machine without IPv6 is a machine too

    int new = must(open("registry.tmp", O_WRONLY | O_CREAT | O_TRUNC, 0600), "temporary file");
    must(write(new, text, length), "write");
    must(fsync(new), "fsync");
    must(rename("registry.tmp", "registry.json"), "rename");
    must(fsync(must(open(".", O_RDONLY | O_DIRECTORY), "directory")), "fsync of the directory");
    printf("%d\n", ntohs(port));
}
