/* A server of 32 bits on 127.0.0.1:PORT. It stands alone (Linux' system calls for i386, asm/unistd_32.h), so that compiling it takes no
   C library for 32 bits. Where a call fails, it ends with the error's number. */

struct address { unsigned short family, port; unsigned int ip; unsigned char zero[8]; };

enum { EXIT = 1, CLOSE = 6, SOCKET = 359, BIND = 361, LISTEN = 363, ACCEPT = 364, SETSOCKOPT = 366 };

static int call5(int number, int first, int second, int third, int fourth, int fifth) {
  int result;
  __asm__ volatile("int $0x80"
                   : "=a"(result)
                   : "a"(number), "b"(first), "c"(second), "d"(third), "S"(fourth), "D"(fifth)
                   : "memory");
  return result;
}

static int call(int number, int first, int second, int third) { return call5(number, first, second, third, 0, 0); }

static int checked(int result) {
  if (result < 0) call(EXIT, -result, 0, 0);
  return result;
}

void _start(void) {
  struct address address = {2, __builtin_bswap16(PORT), __builtin_bswap32(0x7f000001), {0}};
  int listener = checked(call(SOCKET, 2, 1, 0));
  int on = 1, socket_level = 1, reuse_address = 2;
  checked(call5(SETSOCKOPT, listener, socket_level, reuse_address, (int)&on, sizeof on));
  checked(call(BIND, listener, (int)&address, sizeof address));
  checked(call(LISTEN, listener, 16, 0));
  for (;;) call(CLOSE, checked(call(ACCEPT, listener, 0, 0)), 0, 0);
}
