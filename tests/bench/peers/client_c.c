/* The client of an echo server, as plain C is: epoll, write, read; one thread, and one message in
 * flight on each connection. It looks at nothing that comes back, but counts it.
 *
 * Arguments: PORT CONNECTIONS SIZE SECONDS. Prints, as JSON, what CPU time each message took ("cpu",
 * in seconds), and messages a second ("rate"). */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 512, MAX_FDS = 1 << 16, CHUNK = 256 * 1024 };

static size_t received[MAX_FDS]; /* of the message that is in flight */

static int check(int result, const char *what)
{
    if (result < 0) {
        perror(what);
        exit(1);
    }
    return result;
}

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static void send_message(int fd, const char *message, size_t size)
{
    if (write(fd, message, size) != (ssize_t)size) {
        fprintf(stderr, "the message does not fit into the socket's buffer\n");
        exit(1);
    }
}

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    check(connect(fd, (struct sockaddr *)&address, sizeof address), "connect");
    check(fcntl(fd, F_SETFL, O_NONBLOCK), "fcntl");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return fd;
}

int main(int count_of_arguments, char **arguments)
{
    static char chunk[CHUNK];
    if (count_of_arguments != 5) {
        fprintf(stderr, "usage: client_c PORT CONNECTIONS SIZE SECONDS\n");
        return 2;
    }
    int connections = atoi(arguments[2]);
    size_t size = atoi(arguments[3]);
    char *message = malloc(size);
    check(message && size >= 2 ? 0 : -1, "the size");
    memset(message, 'x', size);
    memcpy(message + size - 2, "\r\n", 2);

    int epoll = check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    int *fds = calloc(connections, sizeof *fds);
    check(fds ? 0 : -1, "calloc");
    for (int i = 0; i < connections; i++) {
        fds[i] = connect_to(atoi(arguments[1]));
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fds[i]};
        check(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event), "epoll_ctl");
    }

    long messages = 0;
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    double start = seconds(CLOCK_MONOTONIC), now = start, end = start + atof(arguments[4]);
    for (int i = 0; i < connections; i++)
        send_message(fds[i], message, size);
    for (; now < end; now = seconds(CLOCK_MONOTONIC)) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, 100);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            ssize_t got = read(fd, chunk, sizeof chunk);
            if (got < 0 && errno == EAGAIN)
                continue;
            if (got <= 0) {
                fprintf(stderr, "the server has closed the connection\n");
                return 1;
            }
            received[fd] += got;
            if (received[fd] >= size) {
                received[fd] = 0;
                messages++;
                send_message(fd, message, size);
            }
        }
    }
    if (!messages) {
        fprintf(stderr, "no message came back in time\n");
        return 1;
    }
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("{\"cpu\": %.9g, \"rate\": %.9g}\n", cpu / messages, messages / (now - start));
    return 0;
}
