/* An echo server as plain C is: epoll, read, write; one thread. What a client does not take yet is
 * kept, and that client is not read from meanwhile. Prints "listening on PORT". */

#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024, EVENTS = 512, MAX_FDS = 1 << 16, CHUNK = 256 * 1024 };

static struct unsent {
    char *data;
    size_t size;
} unsent[MAX_FDS];

static void check(int result, const char *what)
{
    if (result < 0) {
        perror(what);
        exit(1);
    }
}

static void hang_up(int fd)
{
    free(unsent[fd].data);
    unsent[fd] = (struct unsent){0};
    close(fd);
}

static void wait_for(int epoll, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    check(epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event), "epoll_ctl");
}

static void accept_one(int epoll, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (fd >= MAX_FDS) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    check(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

static void echo(int epoll, int fd)
{
    static char chunk[CHUNK];
    ssize_t got = read(fd, chunk, sizeof chunk);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        hang_up(fd);
        return;
    }
    ssize_t sent = write(fd, chunk, got);
    if (sent < 0 && errno != EAGAIN) {
        hang_up(fd);
        return;
    }
    if (sent < 0)
        sent = 0;
    if (sent < got) {
        char *rest = malloc(got - sent);
        check(rest ? 0 : -1, "malloc");
        unsent[fd] = (struct unsent){memcpy(rest, chunk + sent, got - sent), got - sent};
        wait_for(epoll, fd, EPOLLOUT);
    }
}

static void send_rest(int epoll, int fd)
{
    struct unsent *rest = &unsent[fd];
    ssize_t sent = write(fd, rest->data, rest->size);
    if (sent < 0) {
        if (errno != EAGAIN)
            hang_up(fd);
        return;
    }
    rest->size -= sent;
    memmove(rest->data, rest->data + sent, rest->size);
    if (rest->size == 0) {
        free(rest->data);
        rest->data = NULL;
        wait_for(epoll, fd, EPOLLIN);
    }
}

int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    check(listener, "socket");
    check(bind(listener, (struct sockaddr *)&address, size), "bind");
    check(listen(listener, BACKLOG), "listen");
    check(getsockname(listener, (struct sockaddr *)&address, &size), "getsockname");
    printf("listening on %d\n", ntohs(address.sin_port));
    fflush(stdout);

    int epoll = epoll_create1(EPOLL_CLOEXEC);
    check(epoll, "epoll_create1");
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    check(epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event), "epoll_ctl");
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener)
                accept_one(epoll, listener);
            else if (unsent[fd].size)
                send_rest(epoll, fd);
            else
                echo(epoll, fd);
        }
    }
}
