#include "store/claim.h"

#include "base/hash.h"
#include "support/check.h"
#include "support/gate.h"
#include "support/site.h"

#include <docket/testing.h>
#include <string.h>
#include <unistd.h>

/* Someone who wants a key, and what became of it. */
typedef struct person {
    docket__holder holder;
    docket__waiter waiter;
    const docket_record *record;
    const docket_error *failure;
    int woken;
    bool owns;
} person;

static void wake(docket__waiter *waiter, const docket_record *record, const docket_error *failure)
{
    person *self = (person *)((char *)waiter - offsetof(person, waiter));
    self->woken++;
    self->record = record;
    self->failure = failure;
    self->owns = record == NULL && failure == NULL;
}

static docket_key key_number(int number)
{
    docket_key key;
    assert_status(DOCKET_OK,
                  docket__sha256(&(docket_bytes){(const uint8_t *)&number, sizeof number}, 1, key.bytes));
    return key;
}

static person want(int key, const person *inside, const void *tree)
{
    person self = {.holder = {.parent = inside == NULL ? NULL : &inside->holder,
                              .key = key_number(key),
                              .step = "step",
                              .tree = tree}};
    return self;
}

static docket_error refusal;

static docket__claim_outcome take(docket__claims *claims, person *self)
{
    bool stale = false;
    docket__claim_outcome outcome = DOCKET__CLAIM_CYCLE;
    self->waiter = (docket__waiter){.holder = &self->holder, .wake = wake};
    assert_status(DOCKET_OK, docket__claim_take(claims, &self->holder, &self->waiter,
                                                docket__claims_releases(claims, &self->holder.key), &outcome, &stale, &refusal));
    self->owns = outcome == DOCKET__CLAIM_OWNED;
    assert_false(stale);
    return outcome;
}

static void give_back(docket__claims *claims, person *self, const docket_record *record,
                      const docket_error *failure)
{
    self->owns = false;
    docket__claim_release(claims, &self->holder, record, failure);
    assert_null(self->holder.claims);
}

static const docket_backend alone = {.struct_size = sizeof(docket_backend)};

static void claims_begin(docket__claims *claims)
{
    assert_status(DOCKET_OK, docket__claims_init(claims, &alone, NULL));
}

static void claims_end(docket__claims *claims)
{
    assert_int_equal(claims->count, 0);
    docket__claims_destroy(claims);
}

static const docket_record record;
static const docket_error failure = {.status = DOCKET_FAILED};

static void test_a_record_is_for_all_who_wait(void **state)
{
    (void)state;
    docket__claims claims;
    claims_begin(&claims);
    person owner = want(1, NULL, "a");
    person waiters[3] = {want(1, NULL, "a"), want(1, NULL, "b"), want(1, NULL, "c")};
    person other = want(2, NULL, "d");
    assert_int_equal(take(&claims, &owner), DOCKET__CLAIM_OWNED);
    assert_ptr_equal(owner.holder.claims, &claims);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(take(&claims, &waiters[i]), DOCKET__CLAIM_WAITING);
        assert_null(waiters[i].holder.claims);
    }
    assert_int_equal(take(&claims, &other), DOCKET__CLAIM_OWNED);
    assert_int_equal(docket__claims_releases(&claims, &(docket_key){{0}}), 0);
    give_back(&claims, &owner, &record, NULL);
    assert_int_equal(docket__claims_releases(&claims, &(docket_key){{0}}), 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(waiters[i].woken, 1);
        assert_ptr_equal(waiters[i].record, &record);
        assert_null(waiters[i].failure);
        assert_null(waiters[i].holder.claims);
    }
    assert_int_equal(other.woken, 0);
    assert_int_equal(take(&claims, &owner), DOCKET__CLAIM_OWNED);
    give_back(&claims, &owner, NULL, NULL);
    give_back(&claims, &other, NULL, &failure);
    claims_end(&claims);
}

static void test_a_look_up_before_a_release_is_stale(void **state)
{
    (void)state;
    docket__claims claims;
    claims_begin(&claims);
    bool stale = true;
    docket__claim_outcome outcome = DOCKET__CLAIM_CYCLE;
    person first = want(1, NULL, NULL);
    person second = want(2, NULL, NULL);
    uint64_t before = docket__claims_releases(&claims, &(docket_key){{0}});
    assert_int_equal(take(&claims, &first), DOCKET__CLAIM_OWNED);
    assert_status(DOCKET_OK,
                  docket__claim_take(&claims, &second.holder, &second.waiter, before, &outcome, &stale, &refusal));
    assert_int_equal(outcome, DOCKET__CLAIM_OWNED);
    assert_false(stale);
    give_back(&claims, &second, NULL, NULL);
    assert_status(DOCKET_OK,
                  docket__claim_take(&claims, &second.holder, &second.waiter, before, &outcome, &stale, &refusal));
    assert_int_equal(outcome, DOCKET__CLAIM_OWNED);
    assert_true(stale);
    give_back(&claims, &first, NULL, NULL);
    give_back(&claims, &second, NULL, NULL);
    claims_end(&claims);
}

static void test_without_a_record_the_first_inherits(void **state)
{
    (void)state;
    enum { WAITERS = 4 };
    docket__claims claims;
    claims_begin(&claims);
    person owner = want(1, NULL, "a");
    person waiters[WAITERS];
    assert_int_equal(take(&claims, &owner), DOCKET__CLAIM_OWNED);
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = want(1, NULL, i == 2 ? "a" : "b");
        assert_int_equal(take(&claims, &waiters[i]), DOCKET__CLAIM_WAITING);
    }
    person *holds = &owner;
    for (int i = 0; i < WAITERS; i++) {
        give_back(&claims, holds, NULL, NULL);
        for (int k = 0; k < WAITERS; k++) {
            assert_int_equal(waiters[k].woken, k <= i);
            assert_int_equal(waiters[k].owns, k == i);
        }
        assert_ptr_equal(waiters[i].holder.claims, &claims);
        holds = &waiters[i];
    }
    give_back(&claims, holds, NULL, NULL);
    claims_end(&claims);
}

static void test_a_failure_is_shared_in_one_tree_only(void **state)
{
    (void)state;
    docket__claims claims;
    claims_begin(&claims);
    person owner = want(1, NULL, "ours");
    person waiters[5];
    assert_int_equal(take(&claims, &owner), DOCKET__CLAIM_OWNED);
    for (int i = 0; i < 5; i++) {
        waiters[i] = want(1, NULL, i % 2 == 0 ? "ours" : "theirs");
        assert_int_equal(take(&claims, &waiters[i]), DOCKET__CLAIM_WAITING);
    }
    give_back(&claims, &owner, NULL, &failure);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(waiters[i].woken, i != 3);
        assert_ptr_equal(waiters[i].failure, i % 2 == 0 ? &failure : NULL);
        assert_int_equal(waiters[i].owns, i == 1);
    }
    person late = want(1, NULL, "ours"); /* comes after the failure: it shares nothing, but waits for the heir */
    assert_int_equal(take(&claims, &late), DOCKET__CLAIM_WAITING);
    give_back(&claims, &waiters[1], NULL, &failure);
    assert_int_equal(waiters[3].woken, 1);
    assert_ptr_equal(waiters[3].failure, &failure);
    assert_true(late.owns);
    give_back(&claims, &late, &record, NULL);
    claims_end(&claims);
}

static void test_a_waiter_can_leave(void **state)
{
    (void)state;
    enum { WAITERS = 5 };
    docket__claims claims;
    claims_begin(&claims);
    person owner = want(1, NULL, NULL);
    person waiters[WAITERS];
    assert_int_equal(take(&claims, &owner), DOCKET__CLAIM_OWNED);
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = want(1, NULL, NULL);
        assert_int_equal(take(&claims, &waiters[i]), DOCKET__CLAIM_WAITING);
    }
    static const int leavers[] = {2, 0, 4};
    for (int i = 0; i < 3; i++) {
        assert_true(docket__claim_forsake(&claims, &waiters[leavers[i]].waiter));
        assert_false(docket__claim_forsake(&claims, &waiters[leavers[i]].waiter));
    }
    person late = want(1, NULL, NULL); /* the place of the last is right again */
    assert_int_equal(take(&claims, &late), DOCKET__CLAIM_WAITING);
    give_back(&claims, &owner, &record, NULL);
    for (int i = 0; i < WAITERS; i++) {
        assert_int_equal(waiters[i].woken, i == 1 || i == 3);
        assert_false(docket__claim_forsake(&claims, &waiters[i].waiter));
    }
    assert_int_equal(late.woken, 1);
    claims_end(&claims);
}

static void test_when_all_left_the_claim_is_free(void **state)
{
    (void)state;
    docket__claims claims;
    claims_begin(&claims);
    person owner = want(1, NULL, NULL);
    person waiter = want(1, NULL, NULL);
    assert_int_equal(take(&claims, &owner), DOCKET__CLAIM_OWNED);
    assert_int_equal(take(&claims, &waiter), DOCKET__CLAIM_WAITING);
    assert_true(docket__claim_forsake(&claims, &waiter.waiter));
    give_back(&claims, &owner, NULL, NULL);
    assert_int_equal(waiter.woken, 0);
    assert_int_equal(claims.count, 0);
    assert_int_equal(take(&claims, &waiter), DOCKET__CLAIM_OWNED);
    give_back(&claims, &waiter, NULL, NULL);
    claims_end(&claims);
}

/* Cycles. */

static void test_work_does_not_wait_for_itself(void **state)
{
    (void)state;
    char digits[65];
    docket__claims claims;
    claims_begin(&claims);
    person outer = want(1, NULL, "tree");
    outer.holder.step = "outer";
    person between = want(2, &outer, "tree");
    person inner = want(1, &between, "tree");
    inner.holder.step = "inner";
    assert_int_equal(take(&claims, &outer), DOCKET__CLAIM_OWNED);
    assert_int_equal(take(&claims, &between), DOCKET__CLAIM_OWNED);
    assert_int_equal(take(&claims, &inner), DOCKET__CLAIM_CYCLE);
    assert_status(DOCKET_CONFLICT, refusal.status);
    docket__hex(outer.holder.key.bytes, 32, digits);
    assert_contains(refusal.message, digits);
    assert_contains(refusal.message, "\"outer\"");
    assert_contains(refusal.message, "\"inner\"");
    assert_false(docket__claim_forsake(&claims, &inner.waiter));
    give_back(&claims, &between, NULL, NULL);
    give_back(&claims, &outer, NULL, NULL);
    assert_int_equal(inner.woken, 0);
    claims_end(&claims);
}

/* Two executions, each holding what the other's nested execution wants; `b` may be another store's table. */
static void cross(docket__claims *a, docket__claims *b)
{
    person left = want(1, NULL, "left");
    person right = want(2, NULL, "right");
    person left_inner = want(2, &left, "left");
    person right_inner = want(1, &right, "right");
    assert_int_equal(take(a, &left), DOCKET__CLAIM_OWNED);
    assert_int_equal(take(b, &right), DOCKET__CLAIM_OWNED);
    assert_int_equal(take(b, &left_inner), DOCKET__CLAIM_WAITING);
    assert_int_equal(take(a, &right_inner), DOCKET__CLAIM_CYCLE);
    assert_status(DOCKET_CONFLICT, refusal.status);

    assert_true(docket__claim_forsake(b, &left_inner.waiter)); /* the one who gives way makes room for the other */
    assert_int_equal(take(a, &right_inner), DOCKET__CLAIM_WAITING);
    assert_int_equal(take(b, &left_inner), DOCKET__CLAIM_CYCLE);
    give_back(a, &left, &record, NULL);
    assert_int_equal(right_inner.woken, 1);
    give_back(b, &right, &record, NULL);
}

static void test_cycles_of_two(void **state)
{
    (void)state;
    docket__claims one, two;
    claims_begin(&one);
    claims_begin(&two);
    cross(&one, &one);
    cross(&one, &two);
    claims_end(&one);
    claims_end(&two);
}

/* The same key in another store is another key. */
static void test_equal_keys_of_two_stores(void **state)
{
    (void)state;
    docket__claims one, two;
    claims_begin(&one);
    claims_begin(&two);
    person outer = want(1, NULL, "tree");
    person inner = want(1, &outer, "tree");
    assert_int_equal(take(&one, &outer), DOCKET__CLAIM_OWNED);
    assert_int_equal(take(&two, &inner), DOCKET__CLAIM_OWNED);
    give_back(&two, &inner, NULL, NULL);
    give_back(&one, &outer, NULL, NULL);
    claims_end(&one);
    claims_end(&two);
}

static void test_long_cycles(void **state)
{
    (void)state;
    enum { LENGTH = 200 };
    static person outer[LENGTH], inner[LENGTH];
    docket__claims claims;
    claims_begin(&claims);
    for (int i = 0; i < LENGTH; i++) {
        outer[i] = want(i, NULL, &outer[i]);
        assert_int_equal(take(&claims, &outer[i]), DOCKET__CLAIM_OWNED);
    }
    for (int i = 0; i < LENGTH - 1; i++) {
        inner[i] = want(i + 1, &outer[i], &outer[i]);
        assert_int_equal(take(&claims, &inner[i]), DOCKET__CLAIM_WAITING);
    }
    inner[LENGTH - 1] = want(0, &outer[LENGTH - 1], &outer[LENGTH - 1]);
    assert_int_equal(take(&claims, &inner[LENGTH - 1]), DOCKET__CLAIM_CYCLE);
    person stranger = want(0, NULL, "stranger"); /* waits at the end of the chain, and closes nothing */
    assert_int_equal(take(&claims, &stranger), DOCKET__CLAIM_WAITING);
    for (int i = LENGTH - 1; i >= 0; i--) {
        give_back(&claims, &outer[i], &record, NULL);
    }
    assert_int_equal(stranger.woken, 1);
    for (int i = 0; i < LENGTH - 1; i++) {
        assert_int_equal(inner[i].woken, 1);
    }
    claims_end(&claims);
}

/* Who inherits a claim is in the place of the one who held it. */
static void test_cycles_after_an_inheritance(void **state)
{
    (void)state;
    docket__claims claims;
    claims_begin(&claims);
    person left = want(1, NULL, "left");
    person owner = want(2, NULL, "owner");
    person heir = want(2, NULL, "heir");
    person left_inner = want(2, &left, "left");
    assert_int_equal(take(&claims, &left), DOCKET__CLAIM_OWNED);
    assert_int_equal(take(&claims, &owner), DOCKET__CLAIM_OWNED);
    assert_int_equal(take(&claims, &heir), DOCKET__CLAIM_WAITING);
    assert_int_equal(take(&claims, &left_inner), DOCKET__CLAIM_WAITING);
    give_back(&claims, &owner, NULL, NULL);
    assert_true(heir.owns);
    person owner_inner = want(1, &owner, "owner"); /* holds nothing any more */
    person heir_inner = want(1, &heir, "heir");
    assert_int_equal(take(&claims, &heir_inner), DOCKET__CLAIM_CYCLE);
    assert_int_equal(take(&claims, &owner_inner), DOCKET__CLAIM_WAITING);
    give_back(&claims, &heir, &record, NULL);
    give_back(&claims, &left, &record, NULL);
    assert_int_equal(left_inner.woken, 1);
    assert_int_equal(owner_inner.woken, 1);
    claims_end(&claims);
}

/* Several steps of one nested execution wait for several owners: one of them is enough for a cycle. */
static void test_cycles_through_a_crowd(void **state)
{
    (void)state;
    enum { CROWD = 10 };
    docket__claims claims;
    claims_begin(&claims);
    person hub = want(100, NULL, "hub");
    person owners[CROWD], waiters[CROWD];
    assert_int_equal(take(&claims, &hub), DOCKET__CLAIM_OWNED);
    for (int i = 0; i < CROWD; i++) {
        owners[i] = want(i, NULL, &owners[i]);
        assert_int_equal(take(&claims, &owners[i]), DOCKET__CLAIM_OWNED);
    }
    for (int i = 0; i < CROWD; i++) {
        waiters[i] = want(i, &hub, "hub");
        assert_int_equal(take(&claims, &waiters[i]), DOCKET__CLAIM_WAITING);
    }
    person inner = want(100, &owners[CROWD / 2], "inner");
    assert_int_equal(take(&claims, &inner), DOCKET__CLAIM_CYCLE);
    for (int i = 0; i < CROWD; i++) {
        give_back(&claims, &owners[i], &record, NULL);
    }
    give_back(&claims, &hub, NULL, NULL);
    claims_end(&claims);
}

/* Size and memory. */

static void test_many_keys(void **state)
{
    (void)state;
    enum { KEYS = 3000 };
    static person owners[KEYS], waiters[KEYS];
    docket__claims claims;
    claims_begin(&claims);
    for (int i = 0; i < KEYS; i++) {
        owners[i] = want(i, NULL, NULL);
        assert_int_equal(take(&claims, &owners[i]), DOCKET__CLAIM_OWNED);
    }
    for (int i = 0; i < KEYS; i += 7) {
        waiters[i] = want(i, NULL, NULL);
        assert_int_equal(take(&claims, &waiters[i]), DOCKET__CLAIM_WAITING);
    }
    assert_int_equal(claims.count, KEYS);
    for (int i = KEYS - 1; i >= 0; i--) {
        give_back(&claims, &owners[i], &record, NULL);
        assert_int_equal(waiters[i].woken, i % 7 == 0);
    }
    claims_end(&claims);
}

static void test_without_memory_nothing_is_claimed(void **state)
{
    (void)state;
    docket__claims claims;
    bool stale = false;
    docket__claim_outcome outcome = DOCKET__CLAIM_CYCLE;
    docket_test_memory_start();
    docket_test_memory_refuse(DOCKET_TEST_REFUSE_ONE, 1);
    assert_status(DOCKET_NO_MEMORY, docket__claims_init(&claims, &alone, NULL));
    docket_test_memory_stop();
    claims_begin(&claims);
    person self = want(1, NULL, NULL);
    docket_test_memory_start();
    docket_test_memory_refuse(DOCKET_TEST_REFUSE_ONE, 1);
    assert_status(DOCKET_NO_MEMORY,
                  docket__claim_take(&claims, &self.holder, &self.waiter, 0, &outcome, &stale, &refusal));
    docket_test_memory_stop();
    assert_status(DOCKET_NO_MEMORY, refusal.status);
    assert_null(self.holder.claims);
    assert_int_equal(take(&claims, &self), DOCKET__CLAIM_OWNED);
    give_back(&claims, &self, NULL, NULL);
    claims_end(&claims);
}

/* Threads. */

enum { THREADS = 8, KEYS = 5 };

typedef struct arena_of_claims {
    docket__claims claims;
    entries inside[KEYS];
    gate start;
} arena_of_claims;

typedef struct contender {
    docket__holder holder;
    docket__waiter waiter;
    gate woken;
    bool owns;
} contender;

typedef struct thread_of_claims {
    pthread_t thread;
    arena_of_claims *in;
    uint64_t seed;
    long rounds, owned, told, left;
    const char *problem;
} thread_of_claims;

static void wake_contender(docket__waiter *waiter, const docket_record *got, const docket_error *told)
{
    contender *self = (contender *)((char *)waiter - offsetof(contender, waiter));
    self->owns = got == NULL && told == NULL;
    gate_arrive(&self->woken);
}

static void own(thread_of_claims *self, contender *by, int key)
{
    entries_enter(&self->in->inside[key]);
    if (atomic_load(&self->in->inside[key].inside) != 1) {
        self->problem = "two owners at once";
    }
    self->owned++;
    entries_leave(&self->in->inside[key]);
    uint64_t how = site_random(&self->seed) % 3;
    docket__claim_release(&self->in->claims, &by->holder, how == 0 ? &record : NULL, how == 1 ? &failure : NULL);
}

static void contend(thread_of_claims *self)
{
    int key = (int)(site_random(&self->seed) % KEYS);
    contender by = {.woken = GATE_INIT(1)};
    docket_error error;
    bool stale = false;
    docket__claim_outcome outcome = DOCKET__CLAIM_CYCLE;
    by.holder = (docket__holder){.step = "step", .tree = site_random(&self->seed) % 2 == 0 ? self->in : NULL};
    memcpy(by.holder.key.bytes, &key, sizeof key);
    by.waiter = (docket__waiter){.holder = &by.holder, .wake = wake_contender};
    if (docket__claim_take(&self->in->claims, &by.holder, &by.waiter, 0, &outcome, &stale, &error) != DOCKET_OK ||
        outcome == DOCKET__CLAIM_CYCLE) {
        self->problem = "a claim was refused";
        return;
    }
    if (outcome == DOCKET__CLAIM_OWNED) {
        own(self, &by, key);
        return;
    }
    if (site_random(&self->seed) % 4 == 0 && docket__claim_forsake(&self->in->claims, &by.waiter)) {
        self->left++;
        return;
    }
    if (!gate_wait(&by.woken)) {
        self->problem = "nobody woke the waiter";
    } else if (by.owns) {
        own(self, &by, key);
    } else {
        self->told++;
    }
}

static void *contend_often(void *arg)
{
    thread_of_claims *self = arg;
    gate_meet(&self->in->start);
    for (long i = 0; i < self->rounds && self->problem == NULL; i++) {
        contend(self);
    }
    return NULL;
}

static void test_threads_share_few_keys(void **state)
{
    (void)state;
    static arena_of_claims in;
    static thread_of_claims threads[THREADS];
    uint64_t seed = site_seed();
    long owned = 0, told = 0, left = 0;
    in = (arena_of_claims){.start = GATE_INIT(THREADS)};
    claims_begin(&in.claims);
    for (int i = 0; i < THREADS; i++) {
        threads[i] =
            (thread_of_claims){.in = &in, .seed = site_random(&seed) | 1, .rounds = site_count(3000, 300000)};
        assert_int_equal(pthread_create(&threads[i].thread, NULL, contend_often, &threads[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i].thread, NULL);
        assert_null(threads[i].problem);
        owned += threads[i].owned;
        told += threads[i].told;
        left += threads[i].left;
    }
    assert_int_equal(owned + told + left, THREADS * threads[0].rounds);
    assert_int_equal(docket__claims_releases(&in.claims, &(docket_key){{0}}), owned);
    claims_end(&in.claims);
}

static int set_alarm(void **state)
{
    (void)state;
    alarm(100);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_record_is_for_all_who_wait),
        cmocka_unit_test(test_a_look_up_before_a_release_is_stale),
        cmocka_unit_test(test_without_a_record_the_first_inherits),
        cmocka_unit_test(test_a_failure_is_shared_in_one_tree_only),
        cmocka_unit_test(test_a_waiter_can_leave),
        cmocka_unit_test(test_when_all_left_the_claim_is_free),
        cmocka_unit_test(test_work_does_not_wait_for_itself),
        cmocka_unit_test(test_cycles_of_two),
        cmocka_unit_test(test_equal_keys_of_two_stores),
        cmocka_unit_test(test_long_cycles),
        cmocka_unit_test(test_cycles_after_an_inheritance),
        cmocka_unit_test(test_cycles_through_a_crowd),
        cmocka_unit_test(test_many_keys),
        cmocka_unit_test(test_without_memory_nothing_is_claimed),
        cmocka_unit_test(test_threads_share_few_keys),
    };
    return cmocka_run_group_tests(tests, set_alarm, NULL);
}
