/* Preloaded into a program, counts its fsync and fdatasync calls and writes the number to the file that COUNT_SYNCS_TO
 * names whenever it changes: what a durable write really cost, seen from outside. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static atomic_long* counter;

__attribute__((constructor)) static void open_counter(void) {
  char const* path = getenv("COUNT_SYNCS_TO");
  int file = path ? open(path, O_RDWR | O_CREAT, 0600) : -1;
  if (file < 0 || ftruncate(file, sizeof *counter) != 0) {
    fputs("count_syncs: COUNT_SYNCS_TO must name a file that can be written\n", stderr);
    exit(1);
  }
  counter = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (counter == MAP_FAILED) exit(1);
}

typedef int (*sync_function)(int);

int fsync(int file) {
  static sync_function real;
  if (!real) real = (sync_function)dlsym(RTLD_NEXT, "fsync");
  atomic_fetch_add(counter, 1);
  return real(file);
}

int fdatasync(int file) {
  static sync_function real;
  if (!real) real = (sync_function)dlsym(RTLD_NEXT, "fdatasync");
  atomic_fetch_add(counter, 1);
  return real(file);
}
