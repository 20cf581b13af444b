import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import { answer, ScriptedTransport } from '#test/scripted-transport.ts'
import { NodeEvents } from './node-events.ts'

const emitted = (name: string) =>
  ({
    type: 'Warning',
    reason: 'NfsServerUnreachable',
    action: 'Mount',
    regarding: { apiVersion: 'v1', kind: 'Node', name, uid: name },
    note: `NFS server of ${name} does not answer`,
  }) as const

function scene({ failures = 0, isOwn = true } = {}) {
  const clock = new VirtualClock(Date.UTC(2026, 0, 1))
  const transport = new ScriptedTransport(() => answer(200, { metadata: { name: 'a' } }))
  const said: string[] = []
  const note = (facts: object, message: string) => void said.push(`${message} ${JSON.stringify(facts)}`)
  const log: Log = { debug: note, info: note, warn: note, error: note }
  const counts = { opened: 0, closed: 0 }
  const open = async () => {
    counts.opened++
    if (counts.opened <= failures) throw new Error('no file says where it is')
    const api = openApi(transport, { clock, userAgent: 'test' })
    return {
      api: {
        ...api,
        close: async () => {
          counts.closed++
        },
      },
      isOwn,
    }
  }
  const events = new NodeEvents({ open, controller: 'ballast.dev/nfs', instance: 'n1', clock, random: () => 0, log })
  const notes = () => transport.seen.map(({ body }) => JSON.parse(JSON.stringify(body)).note)
  return { clock, events, said, counts, notes }
}

test('the API server is looked for when there is something to say, once, and what came meanwhile is sent', async () => {
  const { clock, events, counts, notes } = scene()
  await clock.advance(60_000)
  expect(counts.opened).toBe(0)
  events.emit(emitted('n1'))
  events.emit(emitted('n2'))
  await expect.poll(notes).toHaveLength(2)
  events.emit(emitted('n3'))
  await clock.advance(1_000)
  expect(counts.opened).toBe(1)
  expect(notes()).toEqual(['n1', 'n2', 'n3'].map(name => `NFS server of ${name} does not answer`))
  await events[Symbol.asyncDispose]()
  expect(counts.closed).toBe(1)
  events.emit(emitted('n4'))
  await clock.advance(1_000)
  expect(notes()).toHaveLength(3)
})

test('one that cannot be found is said, and the next event looks again', async () => {
  const { events, said, counts, notes } = scene({ failures: 1 })
  events.emit(emitted('n1'))
  await expect.poll(() => said).toEqual([expect.stringContaining('no file says where it is')])
  events.emit(emitted('n2'))
  await expect.poll(notes).toEqual(['NFS server of n2 does not answer'])
  expect(counts.opened).toBe(2)
  await events[Symbol.asyncDispose]()
})

test('no more than 64 wait for it, and one of somebody else is not closed', async () => {
  const { events, said, counts } = scene({ isOwn: false })
  for (let index = 0; index < 70; index++) events.emit(emitted(`n${index}`))
  expect(said.filter(text => text.includes('too many wait'))).toHaveLength(6)
  await events[Symbol.asyncDispose]()
  expect(counts).toEqual({ opened: 1, closed: 0 })
})
