/** @page docket_h  Everything a program needs: include this one.
 *
 * docket/backend.h (to write a store), docket/sqlite.h (to share a database file) and docket/harness.h (to write a test
 * tool) are included on their own.
 */
#ifndef DOCKET_H
#define DOCKET_H

#include <docket/context.h>
#include <docket/execute.h>
#include <docket/export.h>
#include <docket/file.h>
#include <docket/graph.h>
#include <docket/items.h>
#include <docket/json.h>
#include <docket/observer.h>
#include <docket/pool.h>
#include <docket/status.h>
#include <docket/step.h>
#include <docket/store.h>
#include <docket/struct.h>
#include <docket/type.h>

#endif
