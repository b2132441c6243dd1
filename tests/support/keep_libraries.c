// Linked into sanitized programs only: libraries stay loaded, so that a leak report can name the
// frames of Open MPI's plug-ins, which it unloads before the report is made.
#include <dlfcn.h>

int dlclose(void *handle)
{
    (void)handle;
    return 0;
}
