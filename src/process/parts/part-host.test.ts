import { describe, expect, test } from 'vitest'
import { ConnectionError, RequestTimeoutError } from '#kube/client/connection-error.ts'
import { ListDecodeError } from '#kube/client/list-stream.ts'
import { VirtualClock } from '#kube/clock.ts'
import { WatchDecodeError } from '#kube/informers/watch-stream.ts'
import { LeaseLostError } from '#kube/leases/lease.ts'
import { silentLog } from '#kube/log.ts'
import { StatusError, statusBody } from '#kube/objects/status.ts'
import { AnswerError } from '#kube/outside-error.ts'
import { answerAdmission, type Webhook } from '#kube/server/admission.ts'
import { BreakingPart, faultsOfThisProcess, type Script } from '../testdata/breaking-part.ts'
import { PartHost } from './part-host.ts'
import type { PartNews } from './part-news.ts'
import { ownedWebhooks } from './part-owner.ts'
import { PartRecord } from './part-record.ts'
import { type HostedPart, PartStuckError } from './supervised-part.ts'

function openHost() {
  const clock = new VirtualClock(Date.parse('2026-03-02T04:00:00Z'))
  const news: PartNews[] = []
  const faulted: string[] = []
  const end = new AbortController()
  const host = new PartHost({
    clock,
    log: silentLog,
    tell: (_record, one) => news.push(one),
    signal: end.signal,
    gracefulMs: 20_000,
  })
  const observer = {
    restarted: () => undefined,
    faulted: (record: PartRecord) => void faulted.push(record.name),
    interrupted: (record: PartRecord) => void faulted.push(`${record.name} from outside`),
  }
  const add = (capability: string, script: Script = {}, config: unknown = {}, isOther?: HostedPart['isOther']) => {
    const part = new BreakingPart(clock, script)
    const record = new PartRecord({ capability, part: 'controller', state: 'standby' }, { clock, observer })
    host.add({ record, start: life => part.start(life), ...(isOther === undefined ? {} : { isOther }) }, config)
    return { part, record }
  }
  return { clock, host, news, faulted, end, add }
}

const told = (news: readonly PartNews[]) => news.map(({ kind, why }) => `${kind}: ${why}`)

describe('a part that breaks is stopped and started again, and its neighbour does not notice', () => {
  // biome-ignore format: a table
  const ways: readonly (readonly [string, Script])[] = [
    ['in start()', { start() { throw new Error('broken') } }],
    ['in start(), later', { async start({ clock }) { await clock.after(10); throw new Error('broken') } }],
    ['in a timer of its clock', { start({ clock }) { clock.schedule(10, () => { throw new Error('broken') }) } }],
    ['in a timer of a timer', { start({ clock }) { clock.schedule(5, () => clock.schedule(5, () => { throw new Error('broken') })) } }],
    ['in a callback of the event loop', { start() { setImmediate(() => { throw new Error('broken') }) } }],
    ['in a microtask', { start() { queueMicrotask(() => { throw new Error('broken') }) } }],
    ['in a promise that nobody awaits', { start() { void Promise.reject(new Error('broken')) } }],
    ['in work that it left running', { start({ clock }) { void clock.after(10).then(() => { throw new Error('broken') }) } }],
    ['in a promise that another resolves', { start({ clock }) {
      const { promise, reject } = Promise.withResolvers<void>()
      void promise.finally(() => undefined)
      clock.schedule(10, () => reject(new Error('broken')))
    } }],
  ]
  test.each(ways)('%s', async (_way, script) => {
    using faults = faultsOfThisProcess()
    const unowned: unknown[] = []
    using _heard = faults.onUnowned(error => unowned.push(error))
    const { clock, host, news, add } = openHost()
    const broken = add('broken', script)
    const sound = add('sound')
    await clock.advance(100)
    expect([broken.record.state, sound.record.state]).toEqual(['backing-off', 'running'])
    expect(told(news)).toEqual(['faulted: broken'])
    expect(broken.part.lives.map(life => life.signal.aborted)).toEqual([true])
    delete broken.part.script.start
    await clock.advance(1_000)
    expect([broken.record.state, broken.part.lives.length, sound.part.lives.length]).toEqual(['running', 2, 1])
    expect(unowned).toEqual([])
    await host[Symbol.asyncDispose]()
    expect([broken.part.ended >= 1, sound.part.ended]).toEqual([true, 1])
  })

  test('in health(): the check fails, the part is started again', async () => {
    const { clock, host, news, add } = openHost()
    const { part, record } = add('broken', {
      health() {
        throw new Error('broken')
      },
    })
    await clock.advance(1)
    expect(host.checksOf(record.name)).toEqual([{ name: record.name, ok: false, message: 'its health check threw' }])
    delete part.script.health
    await clock.advance(1_500)
    expect([told(news), part.lives.length, part.ended]).toEqual([['faulted: broken'], 2, 1])
    expect(host.checksOf(record.name)?.map(({ name, ok }) => [name, ok])).toEqual([
      [record.name, true],
      ['own', true],
    ])
    await host[Symbol.asyncDispose]()
  })

  test('in a webhook: the call is answered as its failure policy says and counted, the part goes on', async () => {
    const { clock, host, news, faulted, add } = openHost()
    const served: Webhook[] = []
    const endpoint = {
      clientConfig: () => ({}),
      serve(webhook: Webhook) {
        served.push(webhook)
        return new DisposableStack()
      },
    }
    const { part } = add('broken', {
      start({ owner }) {
        ownedWebhooks(endpoint, owner).serve({
          kind: 'validating',
          name: 'gate',
          failurePolicy: 'Ignore',
          handle() {
            throw new Error('broken')
          },
        })
      },
    })
    await clock.advance(1)
    const request = {
      uid: '1',
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      operation: 'CREATE',
      userInfo: {},
    }
    const review = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request }
    const call = {
      method: 'POST',
      url: '/validate/gate',
      contentType: 'application/json',
      body: new TextEncoder().encode(JSON.stringify(review)),
    }
    const answer = await answerAdmission(served, call, { clock, log: silentLog })
    expect([answer.status, answer.body.includes('"allowed":true')]).toEqual([200, true])
    await clock.advance(1)
    expect([told(news), part.ended, faulted]).toEqual([[], 0, ['broken/controller']])
    await host[Symbol.asyncDispose]()
  })

  test('while it ends: the others are ended all the same, and it is told', async () => {
    const { host, clock, faulted, add } = openHost()
    const first = add('first')
    add('broken', {
      end() {
        throw new Error('broken')
      },
    })
    const last = add('last')
    await clock.advance(1)
    await expect(host[Symbol.asyncDispose]()).rejects.toThrow('parts did not end cleanly: broken')
    expect([first.part.ended, last.part.ended, faulted]).toEqual([1, 1, ['broken/controller']])
  })

  test('after its end: what is left over of a life does no harm to the next', async () => {
    const { host, clock, news, add } = openHost()
    const { part, record } = add('broken', {
      start({ clock: own }) {
        for (const delayMs of [10, 2_000])
          own.schedule(delayMs, () => {
            throw new Error(`broken at ${delayMs}`)
          })
      },
    })
    await clock.advance(20)
    delete part.script.start
    await clock.advance(10_000)
    expect([told(news), part.lives.length, record.state]).toEqual([['faulted: broken at 10'], 2, 'running'])
    await host[Symbol.asyncDispose]()
  })
})

describe('three faults in ten minutes', () => {
  const throwing: Script = {
    start() {
      throw new Error('broken')
    },
  }

  test('are a quarantine of a minute, then of two', async () => {
    const { clock, host, news, add } = openHost()
    const { part, record } = add('broken', { ...throwing })
    await clock.advance(10_000)
    expect([record.state, part.lives.length]).toEqual(['quarantined', 3])
    expect(told(news)).toEqual(['faulted: broken', 'faulted: broken', 'quarantined: broken'])
    expect(record.check()).toEqual({
      name: 'broken/controller',
      ok: false,
      isGating: false,
      state: 'quarantined until 2026-03-02T04:01:03.000Z',
    })
    await clock.advance(60_000)
    expect([record.state, part.lives.length, told(news).at(-1)]).toEqual(['quarantined', 4, 'quarantined: broken'])
    delete part.script.start
    await clock.advance(110_000)
    expect(part.lives).toHaveLength(4)
    await clock.advance(10_000)
    expect([record.state, part.lives.length]).toEqual(['running', 5])
    await host[Symbol.asyncDispose]()
  })

  test('that a changed configuration ends', async () => {
    const { clock, host, add } = openHost()
    const { part, record } = add('broken', { ...throwing }, { a: 1 })
    await clock.advance(10_000)
    await host.configure(record.name, { a: 1 })
    await clock.advance(1)
    expect(record.state).toBe('quarantined')
    delete part.script.start
    await host.configure(record.name, { a: 2 })
    await clock.advance(1)
    expect([record.state, part.lives.at(-1)?.config]).toEqual(['running', { a: 2 }])
    await host[Symbol.asyncDispose]()
  })

  test('that does not outlive the term: another begins with a try, and a fault in it doubles the rest', async () => {
    const { clock, host, add } = openHost()
    const { part, record } = add('broken', { ...throwing })
    await clock.advance(10_000)
    await host[Symbol.asyncDispose]()
    expect(record.state).toBe('stopped')
    await using next = new PartHost({ clock, log: silentLog, tell: () => undefined, signal: new AbortController().signal })
    next.add({ record, start: life => part.start(life) }, {})
    await clock.advance(1)
    expect([record.state, part.lives.length, record.check().state]).toEqual([
      'quarantined',
      4,
      'quarantined until 2026-03-02T04:02:10.000Z',
    ])
    delete part.script.start
    await clock.advance(120_000)
    expect(record.state).toBe('running')
  })
})

describe('what comes from outside is never a fault of a part', () => {
  // biome-ignore format: a table
  const kinds: readonly (readonly [string, () => unknown])[] = [
    ['a broken connection', () => new ConnectionError('socket hang up', { code: 'ECONNRESET' })],
    ['no answer in time', () => new RequestTimeoutError('no answer within 8000 ms')],
    ...[400, 401, 403, 404, 409, 410, 422, 429, 500, 503].map(code => [`${code}`, () => new StatusError(statusBody(code, 'no'))] as const),
    ['an answer of another shape', () => new AnswerError('it is no JSON object')],
    ['half a list', () => new ListDecodeError('the list breaks off')],
    ['a line that is no event', () => new WatchDecodeError('a watch line of 3 bytes is not JSON')],
    ['the Lease', () => new LeaseLostError('lost')],
    ['a file', () => Object.assign(new Error('EACCES'), { code: 'EACCES', syscall: 'open' })],
    ['several of them', () => new AggregateError([new ConnectionError('a'), new StatusError(statusBody(500, 'b'))])],
    ['one behind our own words', () => new Error('the pods cannot be read', { cause: new ConnectionError('a') })],
  ]

  test.each(kinds)('%s: at its start for an hour, then it runs as if nothing had been', async (_kind, error) => {
    const { clock, host, news, faulted, add } = openHost()
    const { part, record } = add('broken', {
      start() {
        throw error()
      },
    })
    await clock.advance(3_600_000)
    expect([record.state, record.check().isGating]).toEqual(['backing-off', false])
    // 1, 2, 4, 8, 16 and then each 30 s.
    expect(part.lives.length).toBeGreaterThan(120)
    expect(new Set(news.map(({ kind }) => kind))).toEqual(new Set(['interrupted']))
    expect(new Set(faulted)).toEqual(new Set(['broken/controller from outside']))
    delete part.script.start
    await clock.advance(30_000)
    expect(record.state).toBe('running')
    await host[Symbol.asyncDispose]()
  })

  test.each(kinds)('%s: while it runs', async (_kind, error) => {
    const { clock, host, news, add } = openHost()
    const { part, record } = add('broken')
    for (let time = 0; time < 10; time++) {
      await clock.advance(60_000)
      expect(record.state).toBe('running')
      part.lives.at(-1)?.owner.fault(error(), 'a test')
      await clock.advance(1)
      expect(record.state).toBe('backing-off')
    }
    expect(new Set(news.map(({ kind }) => kind))).toEqual(new Set(['interrupted']))
    await host[Symbol.asyncDispose]()
  })

  test('a bug is one, also where an outside error is near', async () => {
    const { clock, host, add } = openHost()
    const { record } = add('broken', {
      start() {
        throw new AggregateError([new ConnectionError('a'), new TypeError('b is undefined')])
      },
    })
    await clock.advance(10_000)
    expect(record.state).toBe('quarantined')
    await host[Symbol.asyncDispose]()
  })

  test.each(['by reconfigure()', 'by its start'])(
    'a changed configuration that meets one %s is taken all the same',
    async how => {
      const { clock, host, news, add } = openHost()
      let isAway = true
      const meet = () => {
        if (isAway) throw new ConnectionError('the server is away')
      }
      const { part, record } = add(
        'changing',
        {
          start({ config }) {
            if (JSON.stringify(config) === '{"a":2}') meet()
          },
          reconfigure() {
            if (how === 'by reconfigure()') meet()
            return 'restart-part'
          },
        },
        { a: 1 },
      )
      await clock.advance(1)
      await host.configure(record.name, { a: 2 })
      await clock.advance(20_000)
      expect(record.state).toBe('backing-off')
      isAway = false
      await clock.advance(30_000)
      expect([record.state, part.lives.at(-1)?.config]).toEqual(['running', { a: 2 }])
      expect(news.filter(({ kind }) => kind === 'configuration-refused')).toEqual([])
      await host[Symbol.asyncDispose]()
    },
  )
})

describe('the end', () => {
  test('in order: the part is disposed of before its signal is aborted', async () => {
    const { clock, host, add } = openHost()
    let wasAborted: boolean | undefined
    const { part } = add('slow', {
      async end({ signal, clock: own }) {
        await own.after(5_000)
        wasAborted = signal.aborted
      },
    })
    await clock.advance(1)
    const ending = host[Symbol.asyncDispose]()
    await clock.advance(6_000)
    await ending
    expect([wasAborted, part.ended, part.lives[0]?.signal.aborted]).toEqual([false, 1, true])
  })

  test('of the Lease: the signal is aborted at once', async () => {
    const { clock, host, end, add } = openHost()
    const { part } = add('leading')
    await clock.advance(1)
    end.abort(new Error('lost'))
    await clock.quiet()
    expect([part.lives[0]?.signal.reason, part.ended]).toEqual([end.signal.reason, 1])
    await host[Symbol.asyncDispose]()
  })

  // biome-ignore format: a table
  test.each([
    ['a part that goes on after its abort is stuck', 'abort', 5_000],
    ['one that takes too long to end in order is aborted, then stuck', 'dispose', 25_000],
    ['one that hangs after a fault is stuck', 'fault', 5_000],
  ] as const)('%s', async (_case, how, afterMs) => {
    const { clock, host, end, add } = openHost()
    const { part } = add('stuck', { end: () => new Promise(() => undefined) })
    const sound = add('sound')
    await clock.advance(1)
    const stuck: unknown[] = []
    host.stuck.catch(error => stuck.push(error))
    if (how === 'abort') end.abort(new Error('lost'))
    if (how === 'dispose') host[Symbol.asyncDispose]().catch(error => stuck.push(error))
    if (how === 'fault') part.lives[0]?.owner.fault(new Error('broken'), 'a test')
    await clock.advance(afterMs - 100)
    expect(stuck).toEqual([])
    await clock.advance(200)
    expect(stuck[0]).toBeInstanceOf(PartStuckError)
    expect(sound.part.ended).toBe(how === 'fault' ? 0 : 1)
  })
})

describe('a changed configuration', () => {
  test('is taken in place by a part that can', async () => {
    const { clock, host, add } = openHost()
    const seen: unknown[] = []
    const { part, record } = add(
      'able',
      { reconfigure: config => (seen.push(config) > 0 ? 'applied' : 'restart-part') },
      { a: 1 },
    )
    await clock.advance(1)
    await host.configure(record.name, { a: 2 })
    await host.configure(record.name, { a: 2 })
    expect([seen, part.lives.length]).toEqual([[{ a: 2 }], 1])
    await host[Symbol.asyncDispose]()
  })

  test('starts a part anew that cannot', async () => {
    const { clock, host, add } = openHost()
    const { part, record } = add('unable', {}, { a: 1 })
    await clock.advance(1)
    await host.configure(record.name, { a: 2 })
    await clock.advance(1)
    expect([part.lives.map(life => life.config), part.ended, record.state]).toEqual([[{ a: 1 }, { a: 2 }], 1, 'running'])
    await host[Symbol.asyncDispose]()
  })

  test('starts a part anew that watches or may other things with it, whether it could take it or not', async () => {
    const { clock, host, add } = openHost()
    const seen: unknown[] = []
    const script: Script = { reconfigure: config => (seen.push(config) > 0 ? 'applied' : 'restart-part') }
    const isOther = (from: unknown, to: unknown) => JSON.stringify(from).length !== JSON.stringify(to).length
    const { part, record } = add('grown', script, { a: 1 }, isOther)
    await clock.advance(1)
    await host.configure(record.name, { a: 2 })
    await host.configure(record.name, { a: 2, b: 1 })
    await clock.advance(1)
    expect([seen, part.lives.map(life => life.config)]).toEqual([[{ a: 2 }], [{ a: 1 }, { a: 2, b: 1 }]])
    await host[Symbol.asyncDispose]()
  })

  // biome-ignore format: a table
  test.each([
    ['by reconfigure()', { reconfigure() { throw new Error('no such policy') } }, [{ a: 1 }]],
    ['by its start', { start({ config }) { if (JSON.stringify(config) === '{"a":2}') throw new Error('no such policy') } }, [{ a: 1 }, { a: 2 }, { a: 1 }]],
  ] as readonly (readonly [string, Script, readonly unknown[]])[])('that is refused %s leaves the part on its last good one', async (_case, script, lives) => {
    const { clock, host, news, faulted, add } = openHost()
    const { part, record } = add('refusing', script, { a: 1 })
    await clock.advance(1)
    await host.configure(record.name, { a: 2 })
    await clock.advance(1)
    expect([part.lives.map(life => life.config), record.state, told(news)]).toEqual([
      lives,
      'running',
      ['configuration-refused: no such policy'],
    ])
    expect(faulted).toEqual([])
    await host[Symbol.asyncDispose]()
  })
})

test('what has no owner goes to whoever ends the process', async () => {
  using faults = faultsOfThisProcess()
  const unowned: unknown[] = []
  using _heard = faults.onUnowned(error => unowned.push(error))
  const { clock, news, host, add } = openHost()
  add('sound')
  await clock.advance(1)
  void Promise.reject(new Error('nobody'))
  await clock.advance(1)
  expect([unowned, news]).toEqual([[new Error('nobody')], []])
  await host[Symbol.asyncDispose]()
})

describe('a part whose capability is switched off', () => {
  function switchable(script: { readonly switchedOff: (signal: AbortSignal) => Promise<void> }) {
    const opened = openHost()
    const done: string[] = []
    const record = new PartRecord({ capability: 'some', part: 'controller', state: 'standby' }, { clock: opened.clock })
    const running = {
      health: () => [],
      reconfigure: async () => 'applied' as const,
      switchedOff: async (signal: AbortSignal) => {
        done.push('switched off')
        await script.switchedOff(signal)
      },
      [Symbol.asyncDispose]: async () => void done.push('disposed'),
    }
    opened.host.add({ record, start: async () => running }, {})
    return { ...opened, record, done }
  }

  test('takes away what must not stay, then ends', async () => {
    const { host, clock, record, done } = switchable({ switchedOff: async () => undefined })
    await clock.quiet()
    await host.remove(record.name)
    expect(done).toEqual(['switched off', 'disposed'])
  })
  test('is not told so where the process ends or another leads', async () => {
    const { host, clock, done } = switchable({ switchedOff: async () => undefined })
    await clock.quiet()
    await host[Symbol.asyncDispose]()
    expect(done).toEqual(['disposed'])
  })
  test('ends where it fails, or takes too long', async () => {
    const failing = switchable({ switchedOff: async () => Promise.reject(new Error('forbidden')) })
    await failing.clock.quiet()
    await failing.host.remove(failing.record.name)
    expect(failing.done).toEqual(['switched off', 'disposed'])
    const slow = switchable({
      switchedOff: signal =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true })),
    })
    await slow.clock.quiet()
    const removed = slow.host.remove(slow.record.name)
    await slow.clock.advance(20_000)
    await removed
    expect(slow.done).toEqual(['switched off', 'disposed'])
  })
})
