import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { restart } from '../effects/restart.ts'
import type { Intent } from '../intent.ts'
import type { Permit } from '../permits/permit.ts'
import type { ArbitrationMode } from '../policy/arbiter-policy.ts'
import { Site, words } from '../testdata/arbiter-site.ts'
import { reloadOf, web, webTarget } from '../testdata/fleet.ts'
import type { Reply } from './hearing.ts'

const { signal } = new AbortController()
const done = { ending: 'done', reason: 'patched' } as const
const sharedName = 'restart-reload-1000001'

/** Deployments `web-0`, `web-1`, … as they are given, or so many plain ones. */
function fleet(webs: number | readonly (readonly KubeObject[])[], mode: ArbitrationMode = 'coordinate'): Site {
  const site = new Site()
  site.pods = (typeof webs === 'number' ? Array.from({ length: webs }, (_, at) => web(at)) : webs).flat()
  site.policy = { ...site.policy, modes: { reload: mode, rightsize: 'coordinate' } }
  return site
}

function many(count: number): readonly Intent[] {
  return Array.from({ length: count }, (_, at) => reloadOf(at))
}

function permitsOf(replies: readonly Reply[]): readonly Permit[] {
  return replies.flatMap(reply => (reply.kind === 'granted' ? [reply.permit] : []))
}

const stored = (site: Site) => site.server.permits.get(`shop/${sharedName}`)

describe('wishes that are asked for together', () => {
  test('500 of them are one renewal of the Lease, one create, and one status at the end', async () => {
    const site = fleet(500)
    const state = site.state()
    site.state = () => state
    const arbiter = await site.leader()
    const replies = await arbiter.requestTogether(many(500), signal)
    expect(replies.map(words)).toEqual(Array.from({ length: 500 }, () => `granted ${sharedName}`))
    expect(permitsOf(replies).map(({ record }) => record.targets[0]?.name)).toEqual(
      many(500).map(({ targets }) => targets[0]?.name),
    )
    expect(new Set(permitsOf(replies).map(({ record }) => record.grant.token)).size).toBe(500)
    await Promise.all(permitsOf(replies).map(({ record }) => arbiter.release(record, done, signal)))
    expect(site.server.writes).toEqual(['lease', `create ${sharedName}`, `release ${sharedName}`])
    expect(stored(site)?.status).toMatchObject({ ending: 'done', reason: 'of 500: 500 done' })
    await site.server.clock.advance(10_000)
    expect(site.server.writes).toHaveLength(3)
  })

  test('more than a permit can hold are refused before anything is judged', async () => {
    const arbiter = await fleet(1).leader()
    expect(() => arbiter.requestTogether(many(501), signal)).toThrow('501 intents together, expected at most 500')
  })

  test('one alone has a permit of its own', async () => {
    const site = fleet(1)
    const arbiter = await site.leader()
    expect((await arbiter.requestTogether(many(1), signal)).map(words)).toEqual(['granted restart-web-0-1000001'])
  })

  test('permits that end at the same moment are written at the same moment', async () => {
    const site = fleet(3)
    const arbiter = await site.leader()
    const replies = [0, 1, 2].map(at => arbiter.request(reloadOf(at), signal))
    const records = permitsOf(await Promise.all(replies)).map(({ record }) => record)
    const answering = Promise.withResolvers<void>()
    site.server.answering = answering.promise
    const ended = Promise.all(records.map(record => arbiter.release(record, done, signal)))
    await site.server.clock.advance(1)
    expect(site.server.writes.slice(-3)).toEqual(records.map(({ name }) => `release ${name}`))
    answering.resolve()
    await ended
    expect(arbiter.records().map(({ ending }) => ending)).toEqual(['done', 'done', 'done'])
  })

  test('each permit covers its own target', async () => {
    const site = fleet(2)
    const arbiter = await site.leader()
    const [first] = permitsOf(await arbiter.requestTogether(many(2), signal))
    if (first === undefined) throw new Error('nothing was granted')
    const other = restart(site.effects(), first, webTarget(1), signal)
    await expect(other).rejects.toThrow(`permit shop/${sharedName} does not speak of Deployment shop/web-1`)
  })

  test('what ended is over though its neighbour goes on: nothing more is done under it', async () => {
    const site = fleet(2)
    const arbiter = await site.leader()
    const [first, second] = permitsOf(await arbiter.requestTogether(many(2), signal))
    if (first === undefined || second === undefined) throw new Error('two were to be granted')
    site.server.answersChange = () => ({ status: 200, body: { kind: 'Deployment', metadata: { name: 'web-1', generation: 2 } } })
    await arbiter.release(first.record, done, signal)
    await expect(restart(site.effects(), first, webTarget(0), signal)).rejects.toThrow('was released at')
    expect(await restart(site.effects(), second, webTarget(1), signal)).toMatchObject({ kind: 'restarted', generation: 2 })
  })
})

describe('each is judged by itself', () => {
  const frozen = { 'ballast.dev/freeze': 'audit' }
  const webs = [web(0), web(1, { annotations: frozen }), web(2, { replicas: 0 }), web(3), web(4)]
  const replacedTarget = { ...webTarget(3), uid: 'uid-before' }
  const replaced = reloadOf(3, { targets: [replacedTarget], workload: replacedTarget })
  const late = reloadOf(4, { deadlineMs: 1 })
  const granted = `granted ${sharedName}`

  // biome-ignore format: a table
  test.each<[ArbitrationMode, readonly string[]]>([
    ['observe',    [granted, 'deny freeze', 'no-op nothing-runs', 'deny stale', 'deny late', `${granted} again`]],
    ['coordinate', [granted, 'deny freeze', 'no-op nothing-runs', 'deny stale', 'deny late', `${granted} again`]],
    ['enforce',    [granted, 'deny freeze', 'no-op nothing-runs', 'deny stale', 'deny late', `${granted} again`]],
  ])('in %s', async (mode, expected) => {
    const site = fleet(webs, mode)
    const arbiter = await site.leader()
    const replies = await arbiter.requestTogether([reloadOf(0), reloadOf(1), reloadOf(2), replaced, late, reloadOf(0)], signal)
    expect(replies.map(words)).toEqual(expected)
    expect(stored(site)?.spec.members).toHaveLength(1)
  })

  // biome-ignore format: a table
  test.each<[ArbitrationMode, readonly string[], readonly (string | undefined)[]]>([
    ['observe',    ['granted restart-reload-1000002', 'granted restart-reload-1000002'], ['lock', undefined]],
    ['coordinate', ['defer lock', 'granted restart-reload-1000002'],                     [undefined]],
    ['enforce',    ['defer lock', 'granted restart-reload-1000002'],                     [undefined]],
  ])('a rollout of another holds one of them in %s, and is noted below', async (mode, expected, wouldBe) => {
    const site = fleet(2, mode)
    const arbiter = await site.leader()
    await arbiter.request(reloadOf(0, { requester: 'rightsize', class: 'safety', idempotencyKey: 'other' }), signal)
    const replies = await arbiter.requestTogether(many(2), signal)
    expect(replies.map(words)).toEqual(expected)
    const permit = site.server.permits.get('shop/restart-reload-1000002')
    expect(permit?.spec.members?.map(one => one.wouldBe?.rule)).toEqual(wouldBe)
  })

  // biome-ignore format: a table
  test.each<[string, Partial<Intent>, ArbitrationMode, string]>([
    ['a second rollout of the workload, to the same end',     { idempotencyKey: 'another' },          'coordinate', 'defer lock'],
    ['the same while nothing waits (observe)',                { idempotencyKey: 'another' },          'observe',    'granted restart-web-0-1000003'],
    ['the same wish again',                                   {},                                     'coordinate', `granted ${sharedName} again`],
    ['a revoked Secret: class 0 waits for its own lock too',  { idempotencyKey: 'revoked', class: 'safety' }, 'coordinate', 'defer lock'],
  ])('while they are out: %s', async (_name, change, mode, expected) => {
    const site = fleet(2, mode)
    const arbiter = await site.leader()
    await arbiter.requestTogether(many(2), signal)
    expect(words(await arbiter.request(reloadOf(0, change), signal))).toBe(expected)
  })

  test('two for one workload in one call: the second sees the first', async () => {
    const site = fleet(2)
    const arbiter = await site.leader()
    const replies = await arbiter.requestTogether([reloadOf(0), reloadOf(0, { idempotencyKey: 'later' }), reloadOf(1)], signal)
    expect(replies.map(words)).toEqual([granted, 'defer lock', granted])
  })

  test('what waits for one of them goes along with that one', async () => {
    const site = fleet(3)
    const arbiter = await site.leader()
    const resize = reloadOf(1, {
      requester: 'rightsize',
      verb: 'resize',
      purpose: 'resize',
      class: 'capacity',
      idempotencyKey: 'resize/1',
      change: { resources: [{ container: 'main', requests: { cpu: '200m' } }] },
    })
    expect(words(await arbiter.request(resize, signal))).toBe('defer company')
    const replies = permitsOf(await arbiter.requestTogether(many(3), signal))
    expect(replies.map(({ record }) => record.joined.map(one => one.requester))).toEqual([[], ['rightsize'], []])
    expect(stored(site)?.spec.joined).toMatchObject([{ requester: 'rightsize', member: 1 }])
    expect(words(await arbiter.request(resize, signal))).toBe('coalesced')
  })

  test('a move that comes while they are out goes along with the one of its workload', async () => {
    const site = fleet(2)
    const arbiter = await site.leader()
    await arbiter.requestTogether(many(2), signal)
    const [pod] = reloadOf(1).disrupts
    if (pod === undefined) throw new Error('web-1 has a pod')
    const move = reloadOf(1, {
      requester: 'deschedule',
      verb: 'evict',
      purpose: 'move',
      class: 'balance',
      targets: [pod],
      idempotencyKey: 'move',
    })
    expect(words(await arbiter.request(move, signal))).toBe('coalesced')
    expect(stored(site)?.spec.joined).toMatchObject([{ requester: 'deschedule', member: 1 }])
    expect(arbiter.records().map(({ joined }) => joined.length)).toEqual([0, 1])
  })
})

describe('how they end', () => {
  test('locks fall at once; what ended so far is written when nothing ended for 5 s, the rest when the last has', async () => {
    const site = fleet(3)
    const arbiter = await site.leader()
    const [first, second, third] = permitsOf(await arbiter.requestTogether(many(3), signal))
    if (first === undefined || second === undefined || third === undefined) throw new Error('three were to be granted')
    await arbiter.release(first.record, done, signal)
    expect(words(await arbiter.request(reloadOf(0, { idempotencyKey: 'next' }), signal))).toBe('granted restart-web-0-1000004')
    expect(words(await arbiter.request(reloadOf(1, { idempotencyKey: 'next too' }), signal))).toBe('defer lock')
    expect(stored(site)?.status).toBeUndefined()
    await site.server.clock.advance(5_000)
    expect(stored(site)?.status?.members).toMatchObject([{ member: 0, ending: 'done' }])
    expect(stored(site)?.status?.releasedAt).toBeUndefined()
    await arbiter.release(second.record, { ending: 'failed', reason: 'refused' }, signal)
    await arbiter.release(third.record, done, signal)
    await arbiter.release(third.record, { ending: 'failed', reason: 'twice' }, signal)
    expect(stored(site)?.status).toMatchObject({ ending: 'failed', reason: 'of 3: 1 failed, 2 done' })
    expect(site.server.writes.filter(one => one === `release ${sharedName}`)).toHaveLength(2)
    await site.server.clock.advance(10_000)
    expect(site.events).toEqual([])
  })

  test('while one after the other ends nothing is written before the last, but for what waits for 30 s', async () => {
    const site = fleet(20)
    const arbiter = await site.leader()
    const records = permitsOf(await arbiter.requestTogether(many(20), signal)).map(({ record }) => record)
    const ends = () => site.server.writes.filter(one => one === `release ${sharedName}`)
    for (const record of records.slice(0, 7)) {
      await arbiter.release(record, done, signal)
      await arbiter.settle(signal)
      await site.server.clock.advance(4_000)
    }
    expect(ends()).toHaveLength(0)
    for (const record of records.slice(7, 10)) {
      await arbiter.release(record, done, signal)
      await site.server.clock.advance(2_000)
    }
    expect(ends()).toHaveLength(1)
    for (const record of records.slice(10)) await arbiter.release(record, done, signal)
    await site.server.clock.advance(60_000)
    expect(ends()).toHaveLength(2)
    expect(stored(site)?.status).toMatchObject({ ending: 'done', reason: 'of 20: 20 done' })
  })

  test('what the watch brings meanwhile does not bring back what ended', async () => {
    const site = fleet(2)
    const arbiter = await site.leader()
    const [first] = permitsOf(await arbiter.requestTogether(many(2), signal))
    if (first === undefined) throw new Error('nothing was granted')
    await arbiter.release(first.record, done, signal)
    const permit = stored(site)
    if (permit !== undefined) site.putByHand(permit)
    expect(arbiter.records().map(({ ending }) => ending)).toEqual(['done', undefined])
    expect(site.events).toEqual([])
  })

  test('one that nobody finishes ends by its time, its neighbour by its own', async () => {
    const site = fleet(2)
    const arbiter = await site.leader()
    await arbiter.requestTogether([reloadOf(0, { timeToLiveMs: 60_000 }), reloadOf(1)], signal)
    await site.server.clock.advance(70_000)
    await arbiter.settle(signal)
    expect(arbiter.records().map(({ ending }) => ending)).toEqual(['expired', undefined])
    expect(stored(site)?.status?.members).toMatchObject([{ member: 0, ending: 'expired' }])
    await site.server.clock.advance(600_000)
    await arbiter.settle(signal)
    expect(stored(site)?.status).toMatchObject({ ending: 'expired' })
  })

  test('48 h after the last of them the permit is deleted, and the tokens of all stay used', async () => {
    const site = fleet(2)
    const arbiter = await site.leader()
    for (const { record } of permitsOf(await arbiter.requestTogether(many(2), signal)))
      await arbiter.release(record, done, signal)
    const [newer] = permitsOf([await arbiter.request(reloadOf(0, { idempotencyKey: 'next' }), signal)])
    expect(newer?.record.grant.token).toBe(1_000_003)
    await site.server.clock.advance(49 * 3_600_000)
    await arbiter.settle(signal)
    expect(stored(site)).toBeUndefined()
  })
})

describe('whatever breaks', () => {
  test('a create that breaks off before it was stored grants none of them, and locks nothing', async () => {
    const site = fleet(2)
    const arbiter = await site.leader()
    site.server.breaksOff = 'before'
    const asked = Promise.allSettled([arbiter.requestTogether(many(2), signal)])
    await site.server.clock.advance(10_000)
    expect((await asked).map(({ status }) => status)).toEqual(['rejected'])
    expect((await arbiter.requestTogether(many(2), signal)).map(words)).toEqual([
      'granted restart-reload-1000003',
      'granted restart-reload-1000003',
    ])
  })

  test('one whose answer was lost is read back: all of them are granted', async () => {
    const site = fleet(2)
    const arbiter = await site.leader()
    site.server.breaksOff = 'after'
    const asked = arbiter.requestTogether(many(2), signal)
    await site.server.clock.advance(10_000)
    expect((await asked).map(words)).toEqual([`granted ${sharedName}`, `granted ${sharedName}`])
  })

  test('where nobody knows whether it was written none of them may be done, until it is known', async () => {
    const site = fleet(2)
    const arbiter = await site.leader()
    site.server.isSilent = true
    const asked = Promise.allSettled([arbiter.requestTogether(many(2), signal)])
    await site.server.clock.advance(60_000)
    expect((await asked).map(({ status }) => status)).toEqual(['rejected'])
    await expect(arbiter.request(reloadOf(0), signal)).rejects.toThrow('nobody knows whether permit')
    site.server.isSilent = false
    expect((await arbiter.requestTogether(many(2), signal)).map(words)).toEqual([
      'granted restart-reload-1000003',
      'granted restart-reload-1000003',
    ])
  })

  test('killed midway: a new leader goes on with what was done, withdraws what was not, and ends what is whole', async () => {
    const site = fleet(4)
    const first = await site.leader()
    await first.requestTogether(many(4), signal)
    // web-0 is done and whole, web-1 is being rolled out, of web-2 and web-3 nothing was done.
    site.pods = [web(0, { hash: 'x' }), web(1, { hash: 'x', isWhole: false }), web(2, { hash: 'before' }), web(3)].flat()
    const second = await site.leader()
    await site.server.clock.advance(5_000)
    const endings = () => second.records().map(({ ending }) => ending)
    expect(endings()).toEqual([undefined, undefined, 'withdrawn', 'withdrawn'])
    expect(second.unfinished('reload').map(({ workload }) => workload)).toEqual([
      'shop/Deployment/web-0',
      'shop/Deployment/web-1',
    ])
    // Asked again: what is out is the same permit, what was withdrawn is granted anew.
    expect((await second.requestTogether(many(4).slice(1), signal)).map(words)).toEqual([
      `granted ${sharedName} again`,
      'granted restart-reload-2000001',
      'granted restart-reload-2000001',
    ])
    await site.server.clock.advance(130_000)
    await second.settle(signal)
    expect(endings().slice(0, 2)).toEqual(['done', undefined])
    expect(stored(site)?.status?.members?.map(({ member, ending }) => `${member} ${ending}`)).toEqual([
      '0 done',
      '2 withdrawn',
      '3 withdrawn',
    ])
    // A third leader, who was told of those by the object alone, ends the last: what is written of the others stays.
    const third = await site.leader()
    for (const record of third.unfinished('reload').filter(({ name }) => name === sharedName))
      await third.release(record, done, signal)
    expect(stored(site)?.status?.members?.map(({ member, ending, reason }) => `${member} ${ending}: ${reason}`)).toEqual([
      '0 done: a later leader found it finished',
      '1 done: patched',
      '2 withdrawn: nothing had happened when a new leader took over',
      '3 withdrawn: nothing had happened when a new leader took over',
    ])
    expect(stored(site)?.status).toMatchObject({ ending: 'withdrawn', reason: 'of 4: 2 withdrawn, 2 done' })
  })

  test('killed before their ends were written: the next leader finds them out, none is done twice', async () => {
    const site = fleet(2)
    const first = await site.leader()
    for (const { record } of permitsOf(await first.requestTogether(many(2), signal)).slice(0, 1))
      await first.release(record, done, signal)
    site.pods = [web(0, { hash: 'x' }), web(1, { hash: 'x' })].flat()
    const second = await site.leader()
    expect(second.records().map(({ ending }) => ending)).toEqual([undefined, undefined])
    expect((await second.requestTogether(many(2), signal)).map(words)).toEqual([
      `granted ${sharedName} again`,
      `granted ${sharedName} again`,
    ])
    for (const record of second.unfinished('reload')) await second.release(record, done, signal)
    expect((await second.requestTogether(many(2), signal)).map(words)).toEqual(['no-op repeat', 'no-op repeat'])
  })

  test('a term that ends in order writes what ended', async () => {
    const site = fleet(2)
    const arbiter = await site.leader()
    const [first] = permitsOf(await arbiter.requestTogether(many(2), signal))
    if (first === undefined) throw new Error('nothing was granted')
    await arbiter.release(first.record, done, signal)
    await arbiter.writeEnds(signal)
    expect(stored(site)?.status?.members).toMatchObject([{ member: 0, ending: 'done' }])
    await arbiter.writeEnds(signal)
    expect(site.server.writes.filter(one => one === `release ${sharedName}`)).toHaveLength(1)
  })

  test('who leads no more neither ends them nor writes it', async () => {
    const site = fleet(2)
    const arbiter = await site.leader()
    const [first] = permitsOf(await arbiter.requestTogether(many(2), signal))
    if (first === undefined) throw new Error('nothing was granted')
    site.server.isOurs = false
    await expect(arbiter.release(first.record, done, signal)).rejects.toThrow('the lease is held by another')
    expect(arbiter.records().map(({ ending }) => ending)).toEqual([undefined, undefined])
  })

  test('an edit or a deletion by hand is told once, and each counts as it was granted', async () => {
    const site = fleet(2)
    const arbiter = await site.leader()
    await arbiter.requestTogether(many(2), signal)
    site.editByHand(`shop/${sharedName}`, permit => ({ ...permit, spec: { ...permit.spec, verb: 'evict' } }))
    site.deleteByHand(`shop/${sharedName}`)
    expect(site.events.map(({ reason }) => reason)).toEqual(['PermitEdited', 'PermitDeleted'])
    expect((await arbiter.requestTogether(many(2), signal)).map(words)).toEqual([
      `granted ${sharedName} again`,
      `granted ${sharedName} again`,
    ])
  })
})
