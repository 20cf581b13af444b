import { describe, expect, test } from 'vitest'
import { upstreamText } from '#test/upstream-texts.ts'
import type { Joined, PermitRecord } from '../permits/permit-record.ts'
import { joinedBy, permit, reload } from '../policy/testdata/question.ts'
import { type Refusal, siftPassengers } from './sift-passengers.ts'

const change = (value: string) => ({ annotations: { a: value } })
const wish = (idempotencyKey: string, of: Parameters<typeof joinedBy>[0] = {}): Joined =>
  joinedBy({ ...reload, idempotencyKey, change: change(idempotencyKey), ...of })
const urgent = wish('urgent', { class: 'safety' })
const soon = wish('soon', { class: 'capacity' })
const later = wish('later', { class: 'cost' })
const move = joinedBy({ idempotencyKey: 'move' })

/** Refuses what carries these, and keeps what it was asked. */
function server(refuses: (keys: ReadonlySet<string>) => string | undefined, isBlind = false) {
  const asked: string[] = []
  const refusalOf = async ({ joined }: PermitRecord): Promise<Refusal | undefined> => {
    asked.push(joined.map(one => one.idempotencyKey).join(' '))
    const message = refuses(new Set(joined.map(one => one.idempotencyKey)))
    return message === undefined ? undefined : { message, isBlind }
  }
  return { asked, refusalOf }
}

const each =
  (...bad: readonly string[]) =>
  (keys: ReadonlySet<string>) =>
    bad.filter(key => keys.has(key)).map(key => `not ${key}`)[0]
const together =
  (...bad: readonly string[]) =>
  (keys: ReadonlySet<string>) =>
    bad.every(key => keys.has(key)) ? 'not together' : undefined

describe('who is dropped from a rollout that the server refuses', () => {
  const all = [later, move, soon, urgent]

  // biome-ignore format: a table
  test.each<[string, readonly Joined[], ReturnType<typeof each>, string, readonly string[]]>([
    ['one of three',                              all,                each('soon'),             'soon: not soon',             ['move', 'move urgent', 'move soon urgent', 'later move urgent']],
    ['two of three',                              all,                each('soon', 'urgent'),   'urgent: not urgent, soon: not soon', ['move', 'move urgent', 'move soon', 'later move']],
    ['all of them',                               [later, soon],      each('soon', 'later'),    'soon: not soon, later: not later', ['', 'soon', 'later']],
    ['two that do not go together: the less urgent', all,             together('later', 'urgent'), 'later: not together',     ['move', 'move urgent', 'move soon urgent', 'later move soon urgent']],
    ['of one class the one that came later',      [soon, wish('after', { class: 'capacity' })], together('soon', 'after'), 'after: not together', ['', 'soon', 'soon after']],
    ['nobody: it was refused for a moment',       all,                each(),                   '',                           ['move', 'move urgent', 'move soon urgent', 'later move soon urgent']],
  ])('%s', async (_name, joined, refuses, expected, questions) => {
    const { asked, refusalOf } = server(refuses)
    const sifted = await siftPassengers(permit({ ...reload, joined }), refusalOf)
    if (sifted.kind !== 'without') throw new Error(sifted.message)
    expect(sifted.dropped.map(one => `${one.idempotencyKey}: ${one.message}`).join(', ')).toBe(expected)
    expect(asked).toEqual(questions)
  })

  test('nobody, where the rollout itself is refused', async () => {
    const { asked, refusalOf } = server(() => 'never')
    expect(await siftPassengers(permit({ ...reload, joined: all }), refusalOf)).toEqual({ kind: 'refused', message: 'never' })
    expect(asked).toEqual(['move'])
  })

  test('all who want a change, where the server cannot be asked', async () => {
    const { asked, refusalOf } = server(() => upstreamText('no-dry-run', 'a.b'), true)
    const sifted = await siftPassengers(permit({ ...reload, joined: all }), refusalOf)
    expect(sifted).toMatchObject({
      kind: 'without',
      dropped: [{ idempotencyKey: 'urgent' }, { idempotencyKey: 'soon' }, { idempotencyKey: 'later' }],
    })
    expect(asked).toEqual(['move'])
  })

  test('with at most 1,024 characters of the words', async () => {
    const { refusalOf } = server(keys => (keys.has('soon') ? 'x'.repeat(5_000) : undefined))
    const sifted = await siftPassengers(permit({ ...reload, joined: [soon] }), refusalOf)
    expect(sifted.kind === 'without' ? sifted.dropped[0]?.message : '').toHaveLength(1_024)
  })
})
