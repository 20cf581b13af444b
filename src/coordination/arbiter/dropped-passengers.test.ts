// A rollout whose passengers bring changes that the server refuses: by the requests that it makes, and by what is answered afterwards.
import { describe, expect, test } from 'vitest'
import { restart } from '../effects/restart.ts'
import type { Intent } from '../intent.ts'
import { rollout, Site, words } from '../testdata/arbiter-site.ts'

const { signal } = new AbortController()
const name = 'restart-db-1000001'
const db = { apiVersion: 'apps/v1', kind: 'StatefulSet', namespace: 'shop', name: 'db', uid: 'uid-db' }
const image = 'spec.template.spec.containers[1].image: Required value'
const resizeOf = (requester: string, container: string): Intent =>
  rollout(requester, {
    verb: 'resize',
    purpose: 'resize',
    class: 'capacity',
    change: { resources: [{ container, requests: { cpu: '300m' } }] },
  })
const resize = resizeOf('rightsize', 'mian')
const other = resizeOf('other', 'main')
const reload = rollout('reload', { change: { annotations: { hash: 'b' } } })

interface Refuses {
  /** Patches with this in them, with this code. */
  readonly text: string
  readonly code?: number
  readonly message?: string
  /** Another message for dry runs. */
  readonly dryMessage?: string
}

/** A reload that is granted with two others going along, on a server that refuses what the tests say. */
async function setOut({ text, code = 422, message = image, dryMessage = message }: Refuses) {
  const here = new Site()
  here.policy = { ...here.policy, modes: { reload: 'coordinate', rightsize: 'coordinate', other: 'coordinate' } }
  const arbiter = await here.leader()
  /** What was asked of the workload: `dry` or `real`, what it carried, and the answer. */
  const asked: string[] = []
  here.server.answersChange = ({ query, body }) => {
    const sent = String(body)
    const isDry = query?.['dryRun'] === 'All'
    const isRefused = sent.includes(text) || (isDry && dryMessage !== message)
    const carried = ['hash', 'mian', '"main"'].filter(part => sent.includes(part)).map(part => part.replaceAll('"', ''))
    asked.push(`${isDry ? 'dry' : 'real'} ${carried.join('+')}: ${isRefused ? code : 200}`)
    if (!isDry && !isRefused) here.server.writes.push('patch db')
    const words = isDry ? dryMessage : message
    return isRefused
      ? {
          status: code,
          body: { kind: 'Status', status: 'Failure', code, reason: code === 422 ? 'Invalid' : 'Forbidden', message: words },
        }
      : { status: 200, body: { kind: 'StatefulSet', metadata: { name: 'db', generation: 2 } } }
  }
  for (const one of [resize, other]) expect(words(await arbiter.request(one, signal))).toBe('defer company')
  const reply = await arbiter.request(reload, signal)
  if (reply.kind !== 'granted') throw new Error('not granted')
  const { permit } = reply
  const act = () => restart(here.effects(), permit, db, signal)
  const end = (ending: 'done' | 'failed') => arbiter.release(permit.record, { ending, reason: 'it is over' }, signal)
  const ask = async (intent: Intent) => words(await arbiter.request(intent, signal))
  const dropped = () => here.server.permits.get(`shop/${name}`)?.status?.dropped?.map(one => `${one.requester}: ${one.message}`)
  return { here, arbiter, asked, act, end, ask, dropped }
}

describe('a passenger whose change is refused', () => {
  test.each([422, 403, 400])('(%s) is named in the permit, with the server’s words, before the others go', async code => {
    const { here, asked, act, dropped } = await setOut({ text: 'mian', code })
    expect(await act()).toMatchObject({ kind: 'restarted', generation: 2 })
    expect(asked).toEqual([
      `real hash+mian+main: ${code}`,
      'dry hash: 200',
      `dry hash+mian: ${code}`,
      'dry hash+main: 200',
      'real hash+main: 200',
    ])
    expect(here.server.writes).toEqual(['lease', `create ${name}`, `drop ${name}`, 'patch db'])
    expect(dropped()).toEqual([`rightsize: ${image}`])
    expect(here.events.map(({ reason, note }) => `${reason}: ${note}`)).toEqual([
      `ChangeDropped: the resize of rightsize does not go along with the restart of reload: the server refused it: ${image}`,
    ])
  })

  test('is not tried again when the rollout is', async () => {
    const { asked, act } = await setOut({ text: 'mian' })
    await act()
    asked.length = 0
    await act()
    expect(asked).toEqual(['real hash+main: 200'])
  })

  test('is judged anew when it is asked again, and goes alone; the others are done', async () => {
    const { here, act, end, ask } = await setOut({ text: 'mian' })
    await act()
    expect([await ask(resize), await ask(other)]).toEqual(['defer lock', 'coalesced'])
    await end('done')
    const again = { ...reload, idempotencyKey: 'reload/db again' }
    expect(await ask(again)).toBe('granted restart-db-1000002')
    expect(here.server.permits.get('shop/restart-db-1000002')?.spec.joined).toEqual([])
    expect(await ask(resize)).toBe('defer lock')
    const at = new Date(here.server.clock.now()).toISOString()
    here.editByHand('shop/restart-db-1000002', one => ({ ...one, status: { releasedAt: at, ending: 'done' } }))
    expect([await ask(resize), await ask(other)]).toEqual(['granted resize-db-1000003', 'coalesced'])
  })

  test('of a leader that was killed before the others went: nothing was done, and it still goes alone', async () => {
    const { here, act } = await setOut({ text: 'mian' })
    const refuse = here.server.answersChange
    here.server.answersChange = sent => {
      if (here.server.writes.at(-1)?.startsWith('drop') === true) throw new Error('killed')
      return refuse(sent)
    }
    await expect(act()).rejects.toThrow('killed')
    const next = await here.leader()
    expect(here.server.permits.get(`shop/${name}`)?.status).toMatchObject({
      ending: 'withdrawn',
      dropped: [{ requester: 'rightsize' }],
    })
    expect(words(await next.request(other, signal))).toBe('defer company')
    const reply = await next.request(reload, signal)
    expect(words(reply)).toBe('granted restart-db-2000001')
    expect(reply.kind === 'granted' ? reply.permit.record.joined.map(one => one.requester) : []).toEqual(['other'])
    expect(words(await next.request(resize, signal))).toBe('defer lock')
  })
})

test('of a permit that was deleted by hand, who was dropped is known to the leader all the same', async () => {
  const { here, asked, act, end, ask } = await setOut({ text: 'mian' })
  here.deleteByHand(`shop/${name}`)
  await act()
  expect(asked.at(-1)).toBe('real hash+main: 200')
  expect([await ask(resize), await ask(other)]).toEqual(['defer lock', 'coalesced'])
  await end('done')
  expect(await ask(resize)).toBe('granted resize-db-1000002')
})

test('a permit that was given back while the server was asked begins nothing', async () => {
  const { here, asked, act } = await setOut({ text: 'mian' })
  const answer = here.server.answersChange
  here.server.answersChange = sent => {
    const at = new Date(here.server.clock.now()).toISOString()
    if (asked.length === 2) here.editByHand(`shop/${name}`, one => ({ ...one, status: { releasedAt: at, ending: 'failed' } }))
    return answer(sent)
  }
  await expect(act()).rejects.toThrow('was released at')
  expect(here.server.writes).toEqual(['lease', `create ${name}`])
})

describe('a rollout that is refused itself', () => {
  test('fails, drops nobody, and those who went along may ask anew', async () => {
    const { here, asked, act, end, ask, dropped } = await setOut({ text: 'hash', code: 403, message: 'denied the request' })
    expect(await act()).toEqual({ kind: 'refused', message: 'denied the request' })
    expect(asked).toEqual(['real hash+mian+main: 403', 'dry hash: 403'])
    expect(dropped()).toBeUndefined()
    expect(here.events).toEqual([])
    await end('failed')
    expect(await ask(other)).toBe('defer company')
  })

  test('is asked no more than once when nobody goes along with a change', async () => {
    const { asked, arbiter, act, end, here } = await setOut({ text: 'hash' })
    await act()
    await end('failed')
    asked.length = 0
    await here.server.clock.advance(130_000)
    const reply = await arbiter.request(reload, signal)
    if (reply.kind !== 'granted') throw new Error('not granted')
    expect(await restart(here.effects(), reply.permit, db, signal)).toMatchObject({ kind: 'refused' })
    expect(asked).toEqual(['real hash: 422'])
  })
})

test('where a webhook cannot be asked without effects, the rollout goes alone and each of the others by itself', async () => {
  const dryMessage = 'admission webhook "x" does not support dry run'
  const { asked, act, dropped } = await setOut({ text: 'mian', code: 400, dryMessage })
  expect(await act()).toMatchObject({ kind: 'restarted' })
  expect(asked).toEqual(['real hash+mian+main: 400', 'dry hash: 400', 'real hash: 200'])
  expect(dropped()).toEqual([`rightsize: ${dryMessage}`, `other: ${dryMessage}`])
})

test('nothing is written by who loses the Lease while the server is asked', async () => {
  const { here, asked, act } = await setOut({ text: 'mian' })
  const answer = here.server.answersChange
  here.server.answersChange = sent => {
    here.server.isOurs = asked.length < 2
    return answer(sent)
  }
  await expect(act()).rejects.toThrow('the lease is held by another')
  expect(here.server.writes).toEqual(['lease', `create ${name}`])
})
