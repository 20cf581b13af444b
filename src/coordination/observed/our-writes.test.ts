import { expect, test } from 'vitest'
import { isWrittenUnder, type OurWrite } from './our-writes.ts'

const nowMs = 1_000_000_000
const at = (seconds: number) => nowMs + seconds * 1_000
const grant = { token: 1, atMs: at(-100), expiresAtMs: at(800) }
const out: OurWrite = {
  fieldManager: 'Reloader',
  verb: 'restart',
  grant,
  ending: undefined,
  createdMs: at(-100),
  releasedAtMs: undefined,
}
const over: OurWrite = { ...out, ending: 'done', releasedAtMs: at(-90) }
const { fieldManager: _, ...unnamed } = out

// biome-ignore format: a table
test.each<[string, OurWrite, string, number | undefined, boolean]>([
  ['while it is out',                       out,                                  'Reloader',          at(-50),   true],
  ['in the second in which it was made',    out,                                  'Reloader',          at(-100.9), true],
  ['long before it',                        out,                                  'Reloader',          at(-110),  false],
  ['while it was out, seen late',           over,                                 'Reloader',          at(-95),   true],
  ['after it',                              over,                                 'Reloader',          at(-80),   false],
  ['by somebody else',                      out,                                  'kubectl-rollout',   at(-50),   false],
  ['by nobody knows when',                  out,                                  'Reloader',          undefined, false],
  ['under one in the name of its own',      unnamed,                              'Reloader',          at(-50),   false],
  ['under a request',                       { ...out, grant: undefined },         'Reloader',          at(-50),   false],
  ['under one that was withdrawn',          { ...over, ending: 'withdrawn' },     'Reloader',          at(-95),   false],
  ['under one that takes a pod away',       { ...out, verb: 'evict' },            'Reloader',          at(-50),   false],
])('written %s', (_name, permit, manager, atMs, expected) => {
  expect(isWrittenUnder(permit, { manager, isByScale: false, atMs }, nowMs)).toBe(expected)
})
