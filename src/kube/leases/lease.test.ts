// kube-machinery.md §7, cases 20 to 22, and what happens when the Lease or the server is gone. One server in memory, several
// candidates each with a clock of its own.

import { afterEach, describe, expect, test } from 'vitest'
import { answer, refusal, type Scripted, ScriptedTransport, type SeenRequest } from '#test/scripted-transport.ts'
import { openApi } from '../client/api.ts'
import { type Clock, VirtualClock } from '../clock.ts'
import { type Log, silentLog } from '../log.ts'
import { seededRandom } from '../random.ts'
import { type Leader, LeaseElection, LeaseLostError } from './lease.ts'
import type { Lease } from './lease-record.ts'

/** A Lease on a server that keeps resourceVersions as one does. */
class LeaseServer {
  lease: Lease | undefined
  isDown = false
  /** How many of the next writes meet another's. */
  overtakenWrites = 0
  /** How a PUT of what is not there is answered: Leases may be created by one, but not with a resourceVersion. */
  absent: Scripted = refusal(404, 'NotFound')
  #version = 0
  readonly transport = new ScriptedTransport(request => this.#answer(request))

  remove(): void {
    this.lease = undefined
  }

  change(spec: object): void {
    if (this.lease !== undefined) this.#store({ ...this.lease, spec: { ...this.lease.spec, ...spec } })
  }

  #answer({ verb, body }: SeenRequest): Scripted {
    if (this.isDown) return { kind: 'broken', code: 'ECONNREFUSED' }
    if (verb === 'POST') {
      if (this.lease !== undefined) return refusal(409, 'AlreadyExists')
      return answer(201, this.#store(body as Lease))
    }
    if (this.lease === undefined) return verb === 'GET' ? refusal(404, 'NotFound') : this.absent
    if (verb === 'GET') return answer(200, this.lease)
    const sent = body as Lease
    if (this.overtakenWrites > 0) {
      this.overtakenWrites--
      this.change({})
    }
    if (sent.metadata.resourceVersion !== this.lease.metadata.resourceVersion) return refusal(409, 'Conflict')
    return answer(200, this.#store(sent))
  }

  #store(lease: Lease): Lease {
    this.#version++
    this.lease = { ...lease, metadata: { ...lease.metadata, resourceVersion: String(this.#version) } }
    return this.lease
  }
}

/** `clock` as another machine has it: `offsetMs` ahead, and stopped for `pausedMs` so far. */
function otherClock(clock: VirtualClock, offsetMs: number): Clock {
  return {
    now: () => clock.now() + offsetMs,
    elapsed: () => clock.elapsed() + 5 * offsetMs,
    schedule: (delayMs, callback) => clock.schedule(delayMs, callback),
    at: (wallMs, callback) => clock.at(wallMs - offsetMs, callback),
    after: (delayMs, signal) => clock.after(delayMs, signal),
    hold: () => clock.hold(),
  }
}

/** The clock of a machine that can stand still: its timers are heard when it goes on, and time has passed. */
function standingStill(clock: VirtualClock): { readonly clock: Clock; readonly pause: () => void; readonly goOn: () => void } {
  let held: (() => void)[] | undefined
  const schedule: Clock['schedule'] = (delayMs, callback) =>
    clock.schedule(delayMs, () => {
      if (held === undefined) callback()
      else held.push(callback)
    })
  const after: Clock['after'] = (delayMs, signal) =>
    new Promise((resolve, reject) => {
      const cancel = schedule(delayMs, resolve)
      const onAbort = () => {
        cancel()
        reject(signal?.reason)
      }
      if (signal?.aborted === true) onAbort()
      else signal?.addEventListener('abort', onAbort, { once: true })
    })
  return {
    clock: { ...otherClock(clock, 0), schedule, after },
    pause: () => {
      held = []
    },
    goOn: () => {
      const late = held ?? []
      held = undefined
      for (const callback of late) callback()
    },
  }
}

const running: AbortController[] = []
afterEach(() => {
  for (const stop of running.splice(0)) stop.abort(new Error('the test is over'))
})

interface Candidate {
  readonly stop: AbortController
  readonly terms: { readonly leader: Leader; readonly fromMs: number }[]
  readonly done: Promise<void>
}

function candidate(
  server: LeaseServer,
  identity: string,
  clock: Clock,
  log: Log = silentLog,
  onLook: () => void = () => undefined,
): Candidate {
  const stop = new AbortController()
  running.push(stop)
  const { transport } = server
  const request: typeof transport.request = asked => {
    if (asked.verb === 'GET') onLook()
    return transport.request(asked)
  }
  const looking = { request, stream: transport.stream.bind(transport), close: () => transport.close() }
  const api = openApi(looking, { clock, userAgent: 'test' })
  const election = new LeaseElection({
    api,
    namespace: 'ballast',
    name: 'controller',
    identity,
    clock,
    random: seededRandom(identity.length),
    log,
    leaseDurationMs: 15_000,
  })
  const terms: Candidate['terms'] = []
  const done = election.run(async leader => {
    terms.push({ leader, fromMs: clock.now() })
    await new Promise<void>(resolve => leader.signal.addEventListener('abort', () => resolve()))
  }, stop.signal)
  return { stop, terms, done }
}

test('7.20 a lease that is no longer renewed is taken over by what the candidate saw, whatever its clock says', async () => {
  /** A dies `killedMs` after the start, if ever; B, an hour ahead, looks and waits. Everything else is the same in each run. */
  async function run(killedMs: number | undefined, untilMs: number) {
    const clock = new VirtualClock(1_000_000)
    const server = new LeaseServer()
    const first = candidate(server, 'a', clock)
    await clock.advance(0)
    const looks: number[] = []
    const second = candidate(server, 'bb', otherClock(clock, 3_600_000), silentLog, () => looks.push(clock.elapsed()))
    await clock.advance((killedMs ?? untilMs) - clock.elapsed())
    if (killedMs !== undefined) {
      // Nothing of it reaches the server from here on.
      first.stop.abort(new Error('killed'))
      server.isDown = true
      await clock.advance(0)
      server.isDown = false
      await clock.advance(untilMs - clock.elapsed())
    }
    return { looks, terms: second.terms, lease: server.lease?.spec, startMs: 1_000_000 + 3_600_000 }
  }
  const seen = (await run(undefined, 40_000)).looks.find(ms => ms > 20_000) ?? 0
  const stoppedMs = seen - 1_000
  expect((await run(stoppedMs, stoppedMs + 16_000)).terms).toEqual([])
  const { terms, lease, startMs } = await run(stoppedMs, stoppedMs + 16_000 + 4_400)
  expect(terms).toHaveLength(1)
  expect((terms[0]?.fromMs ?? 0) - startMs).toBeGreaterThan(stoppedMs + 16_000)
  expect(lease).toMatchObject({ holderIdentity: 'bb', leaseTransitions: 1, leaseDurationSeconds: 15 })
  expect(terms[0]?.leader.transitions).toBe(1)
})

test('7.19 times of the lease have six digits', async () => {
  const clock = new VirtualClock(Date.UTC(2026, 2, 4, 5, 6, 7))
  const server = new LeaseServer()
  candidate(server, 'a', clock)
  await clock.advance(0)
  expect(server.lease?.spec?.renewTime).toBe('2026-03-04T05:06:07.000000Z')
})

describe('7.21 a leader that was stopped for 20 s', () => {
  test('does nothing on waking, and knows why', async () => {
    const clock = new VirtualClock(0)
    let pausedMs = 0
    const own: Clock = { ...otherClock(clock, 0), elapsed: () => clock.elapsed() + pausedMs }
    const server = new LeaseServer()
    const paused = candidate(server, 'a', own)
    await clock.advance(2000)
    const leader = paused.terms[0]?.leader
    leader?.assert()
    pausedMs = 20_000
    expect(() => leader?.assert()).toThrow(LeaseLostError)
    expect(() => leader?.assert()).toThrow('lease not renewed for 20 s')
    server.change({ holderIdentity: 'bb', leaseTransitions: 1 })
    await clock.advance(2000)
    expect(leader?.signal.reason).toBeInstanceOf(LeaseLostError)
  })

  test('does not get past confirm when another leads', async () => {
    const clock = new VirtualClock(0)
    const server = new LeaseServer()
    const paused = candidate(server, 'a', clock)
    await clock.advance(3000)
    const leader = paused.terms[0]?.leader
    server.change({ holderIdentity: 'bb', leaseTransitions: 1 })
    const confirmed = leader?.confirm(new AbortController().signal)
    await expect(confirmed).rejects.toThrow('the lease is held by another')
    expect(leader?.signal.reason).toBeInstanceOf(LeaseLostError)
    expect(() => leader?.assert()).toThrow(LeaseLostError)
  })
})

describe('refresh, after 20 s in which no timer was heard', () => {
  async function stoppedLeader() {
    const clock = new VirtualClock(0)
    const stopped = { ms: 0 }
    const own: Clock = { ...otherClock(clock, 0), elapsed: () => clock.elapsed() + stopped.ms }
    const server = new LeaseServer()
    const { terms } = candidate(server, 'a', own)
    await clock.advance(2000)
    const leader = terms[0]?.leader
    if (leader === undefined) throw new Error('nobody leads')
    const refresh = () => leader.refresh(new AbortController().signal)
    return { server, stopped, leader, refresh }
  }

  test('goes on where nobody took the Lease', async () => {
    const { stopped, leader, refresh } = await stoppedLeader()
    stopped.ms = 20_000
    expect(() => leader.assert()).toThrow('lease not renewed for 20 s')
    await refresh()
    leader.assert()
  })

  test('is the end where another took it, also for who gave it back', async () => {
    for (const taken of [
      { holderIdentity: 'bb', leaseTransitions: 1 },
      { holderIdentity: '', leaseTransitions: 1 },
    ]) {
      const { server, stopped, leader, refresh } = await stoppedLeader()
      stopped.ms = 20_000
      server.change(taken)
      await expect(refresh()).rejects.toThrow(LeaseLostError)
      expect(() => leader.assert()).toThrow(LeaseLostError)
    }
  })

  test('writes nothing while no renewal is due', async () => {
    const { server, stopped, refresh } = await stoppedLeader()
    stopped.ms = 20_000
    await refresh()
    const { renewTime } = server.lease?.spec ?? {}
    await refresh()
    expect(server.lease?.spec?.renewTime).toBe(renewTime)
    const version = server.lease?.metadata.resourceVersion
    await refresh()
    expect(server.lease?.metadata.resourceVersion).toBe(version)
  })

  test('fails as a renewal does where the server is away', async () => {
    const { server, stopped, refresh } = await stoppedLeader()
    stopped.ms = 20_000
    server.isDown = true
    await expect(refresh()).rejects.toThrow()
  })
})

test('confirm renews by compare-and-swap', async () => {
  const clock = new VirtualClock(0)
  const server = new LeaseServer()
  const only = candidate(server, 'a', clock)
  await clock.advance(500)
  const before = server.lease?.metadata.resourceVersion
  await only.terms[0]?.leader.confirm(new AbortController().signal)
  expect(Number(server.lease?.metadata.resourceVersion)).toBe(Number(before) + 1)
  expect(server.lease?.spec?.renewTime).toBe('1970-01-01T00:00:00.500000Z')
})

describe('confirm while others write to the lease', () => {
  test.each([
    ['succeeds when it got through', 3, 'renewed'],
    ['is no proof when it did not', 6, 'the lease was changed by others 3 times while it was renewed'],
  ])('%s', async (_, overtakenWrites, expected) => {
    const clock = new VirtualClock(0)
    const server = new LeaseServer()
    const only = candidate(server, 'a', clock)
    await clock.advance(500)
    server.overtakenWrites = overtakenWrites
    const before = server.lease?.spec?.renewTime
    const outcome = await only.terms[0]?.leader.confirm(new AbortController().signal).then(
      () => 'renewed',
      error => (error instanceof LeaseLostError ? error.message : String(error)),
    )
    expect(outcome).toBe(expected)
    expect(server.lease?.spec?.renewTime !== before).toBe(expected === 'renewed')
    expect(only.terms[0]?.leader.signal.aborted).toBe(false)
  })
})

test('a lease taken back from one who led in between is another term', async () => {
  const clock = new VirtualClock(0)
  const server = new LeaseServer()
  const first = candidate(server, 'a', clock)
  await clock.advance(1000)
  // Another led for a moment and gave it back.
  server.change({ holderIdentity: '', leaseTransitions: 1, leaseDurationSeconds: 1 })
  await clock.advance(10_000)
  expect(first.terms).toHaveLength(2)
  expect(first.terms[0]?.leader.signal.reason).toBeInstanceOf(LeaseLostError)
  expect(first.terms[1]?.leader.transitions).toBe(2)
})

test('7.22 a released lease is led by the next within 4.4 s', async () => {
  const clock = new VirtualClock(0)
  const server = new LeaseServer()
  const first = candidate(server, 'a', clock)
  await clock.advance(0)
  const second = candidate(server, 'bb', clock)
  await clock.advance(10_000)
  first.stop.abort(new Error('SIGTERM'))
  await first.done
  expect(server.lease?.spec).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1, leaseTransitions: 0 })
  await clock.advance(4400)
  expect(second.terms).toHaveLength(1)
  expect(server.lease?.spec).toMatchObject({ holderIdentity: 'bb', leaseTransitions: 1, leaseDurationSeconds: 15 })
})

describe('trouble while leading', () => {
  test.each([404, 400, 409, 500])(
    'a lease that is deleted is made again without a word and leading goes on (PUT answers %i)',
    async code => {
      const clock = new VirtualClock(0)
      const server = new LeaseServer()
      server.absent = refusal(code, code === 404 ? 'NotFound' : code === 409 ? 'Conflict' : 'BadRequest')
      const warnings: string[] = []
      const only = candidate(server, 'a', clock, { ...silentLog, warn: (_data, message) => warnings.push(message) })
      await clock.advance(1000)
      server.lease = undefined
      await clock.advance(30_000)
      expect(only.terms).toHaveLength(1)
      expect(only.terms[0]?.leader.signal.aborted).toBe(false)
      expect(server.lease).toMatchObject({ spec: { holderIdentity: 'a', acquireTime: '1970-01-01T00:00:00.000000Z' } })
      expect(warnings).toEqual([])
    },
  )

  test('a lease that is deleted while its holder stands still is not made again as it was: another may have led in between', async () => {
    const clock = new VirtualClock(0)
    const server = new LeaseServer()
    const machine = standingStill(clock)
    const first = candidate(server, 'a', machine.clock)
    await clock.advance(1000)
    const second = candidate(server, 'bb', clock)
    await clock.advance(5000)
    machine.pause()
    await clock.advance(25_000)
    expect(second.terms).toHaveLength(1)
    second.stop.abort(new Error('killed'))
    server.lease = undefined
    machine.goOn()
    await clock.advance(10_000)
    expect(first.terms[0]?.leader.signal.aborted).toBe(true)
    expect(first.terms).toHaveLength(2)
    expect(server.lease).toMatchObject({ spec: { holderIdentity: 'a' } })
  })

  test('a server that is gone ends the term 10 s after the first failed renewal, and a new one begins when it is back', async () => {
    const clock = new VirtualClock(0)
    const server = new LeaseServer()
    const only = candidate(server, 'a', clock)
    await clock.advance(0)
    server.isDown = true
    await clock.advance(9_999)
    expect(only.terms[0]?.leader.signal.aborted).toBe(false)
    await clock.advance(1)
    // No effect passes any more, though the term lasts to its end.
    expect(() => only.terms[0]?.leader.assert()).toThrow(LeaseLostError)
    await clock.advance(2000)
    expect(only.terms[0]?.leader.signal.aborted).toBe(true)
    server.isDown = false
    await clock.advance(5000)
    expect(only.terms).toHaveLength(2)
    expect(only.terms[1]?.leader.transitions).toBe(0)
  })

  test('what leads and does not stop is an error', async () => {
    const clock = new VirtualClock(0)
    const server = new LeaseServer()
    const stop = new AbortController()
    const api = openApi(server.transport, { clock, userAgent: 'test' })
    const election = new LeaseElection({ api, namespace: 'x', name: 'y', identity: 'a', clock, random: () => 0 })
    const done = election.run(() => new Promise<void>(() => undefined), stop.signal)
    const failed = expect(done).rejects.toThrow('did not stop within 5000 ms')
    await clock.advance(100)
    stop.abort(new Error('SIGTERM'))
    await clock.advance(5000)
    await failed
  })
})

describe('what a leader writes on its Lease', () => {
  const { signal } = new AbortController()

  test('goes with the next renewal and stays, beside what others wrote, also when the Lease is deleted under it', async () => {
    const clock = new VirtualClock(0)
    const server = new LeaseServer()
    const only = candidate(server, 'a', clock)
    await clock.advance(0)
    if (server.lease !== undefined)
      server.lease = { ...server.lease, metadata: { ...server.lease.metadata, annotations: { team: 'x' } } }
    const leader = only.terms[0]?.leader
    await leader?.annotate({ epoch: '4' }, signal)
    expect(server.lease?.metadata.annotations).toMatchObject({ epoch: '4' })
    expect(leader?.annotations()).toMatchObject({ epoch: '4' })
    await clock.advance(4_000)
    expect(server.lease?.metadata.annotations).toMatchObject({ epoch: '4' })
    server.remove()
    await clock.advance(3_000)
    expect(server.lease?.metadata.annotations).toEqual({ epoch: '4' })
    expect(only.terms).toHaveLength(1)
  })

  test('is read by the next, and not written over by one that led before', async () => {
    const clock = new VirtualClock(0)
    const server = new LeaseServer()
    const first = candidate(server, 'a', clock)
    await clock.advance(0)
    await first.terms[0]?.leader.annotate({ epoch: '1' }, signal)
    // Another has it for a while, and writes.
    server.change({ holderIdentity: 'other', leaseTransitions: 1 })
    if (server.lease !== undefined)
      server.lease = { ...server.lease, metadata: { ...server.lease.metadata, annotations: { epoch: '2' } } }
    await clock.advance(60_000)
    expect(first.terms).toHaveLength(2)
    expect(first.terms[1]?.leader.annotations()).toEqual({ epoch: '2' })
    expect(server.lease?.metadata.annotations).toEqual({ epoch: '2' })
  })

  test.each([
    ['there was none: it may have been deleted under its holder', undefined, 15_000],
    ['it was given up', { holderIdentity: '', leaseTransitions: 3 }, 0],
  ])('nobody else leads: at once or after a lease duration where %s', async (_name, spec, expectedMs) => {
    const clock = new VirtualClock(0)
    const server = new LeaseServer()
    if (spec !== undefined)
      server.lease = {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { name: 'controller', resourceVersion: '0' },
        spec,
      }
    const only = candidate(server, 'a', clock)
    await clock.advance(0)
    let outlastedMs: number | undefined
    const waiting = only.terms[0]?.leader.outlast(signal).then(() => {
      outlastedMs = clock.now()
    })
    await clock.advance(20_000)
    await waiting
    expect(outlastedMs).toBe(expectedMs)
  })
})

test.each([
  [{ leaseDurationMs: 10_000 }, 'greater than renew deadline'],
  [{ renewDeadlineMs: 2400 }, '1.2 times the retry period'],
  [{ retryPeriodMs: 999 }, 'at least 1 s'],
])('%o is refused', (options, expected) => {
  const clock = new VirtualClock(0)
  const api = openApi(new LeaseServer().transport, { clock, userAgent: 'test' })
  expect(() => new LeaseElection({ api, namespace: 'x', name: 'y', identity: 'z', clock, random: () => 0, ...options })).toThrow(
    expected,
  )
})
