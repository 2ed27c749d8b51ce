// SPDX-License-Identifier: GPL-2.0
/*
 * cancelio in libuv: the context's descriptor is a uv_poll_t, whose callback reaps completions.
 *
 * libuv asks for it level-triggered, so the callback may leave some for the next turn.  There is
 * no uv_timer_t for a deadline, for the kernel keeps them, and no uv_tcp_t for a socket.
 */
#include <sys/socket.h>
#include <uv.h>

#include "echo.h"
#include "server.h"

static uv_loop_t loop;

static void watch(uv_poll_t *handle, int fd, uv_poll_cb callback)
{
	int error = uv_poll_init(&loop, handle, fd);

	if (!error)
		error = uv_poll_start(handle, UV_READABLE, callback);
	if (error)
		die("uv_poll_t", -error);
}

static void on_completions(uv_poll_t *handle, int status, int events)
{
	(void)handle;
	(void)events;
	if (!status)
		echo_reap();
}

static void on_client(uv_poll_t *handle, int status, int events)
{
	uv_os_fd_t listener;

	(void)events;
	if (!status && !uv_fileno((uv_handle_t *)handle, &listener))
		echo_accept(listener);
}

static void on_stop(uv_poll_t *handle, int status, int events)
{
	(void)status;
	(void)events;
	uv_stop(handle->loop);
}

int main(int argc, char **argv)
{
	uv_poll_t completions, clients, stop;
	int error;

	server_begin(argc, argv);
	error = uv_loop_init(&loop);
	if (error)
		die("uv_loop_init", -error);
	watch(&completions, echo_open(), on_completions);
	watch(&stop, server_stop_fd(), on_stop);
	watch(&clients, server_listen(SOCK_NONBLOCK), on_client);
	uv_run(&loop, UV_RUN_DEFAULT);
	echo_stop();
	return server_report();
}
