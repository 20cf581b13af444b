import pc from 'picocolors'
import { expect, test } from 'vitest'
import type { Look } from '#doctor/look/look.ts'
import { markdownLook, pageOfLook, terminalLook } from './look-text.ts'

const nothing: Look = { looked: 'dump.yaml', of: 'cluster', present: [], rivalries: [], proposals: [], unknown: [] }
const full: Look = {
  ...nothing,
  looked: 'a|b<script>alert(1)</script>',
  present: [
    {
      name: 'Reloader',
      version: 'image v1.4.0',
      where: 'Deployment a/reloader',
      capability: 'reload',
      isOff: false,
      swap: { how: 'it sleeps', command: 'ballast migrate plan reloader' },
    },
  ],
  rivalries: [{ verb: 'evicts', target: 'web/app', rivals: ['one', 'two'], certainty: 'fights', evidence: ['Events: both'] }],
  losses: [{ lost: 'n1', pending: ['a/1', 'a/2', 'a/3', 'a/4', 'a/5', 'a/6'], because: '1 Insufficient cpu' }],
  unknown: ['watts: <b>nobody</b> says them'],
}
const plain = pc.createColors(false)

test('a terminal gets every answer within 80 columns, commands whole', () => {
  const text = terminalLook(full, plain)
  for (const part of [
    'Who is here',
    'Reloader',
    'fights',
    'one and two: each evicts web/app',
    'a/5 and 1 more',
    'ballast migrate plan reloader',
  ])
    expect(text).toContain(part)
  for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
})

test('Markdown has a table for each question, and no cell breaks out of it', () => {
  const text = markdownLook(full)
  expect(text).toContain('# A look at a\\|b&lt;script>')
  expect(text).toContain('| Reloader | image v1.4.0 | Deployment a/reloader |')
  expect(text).not.toContain('<script')
})

test('the page loads nothing, runs nothing, and escapes what came from a cluster', () => {
  const page = pageOfLook(full)
  expect(page).not.toMatch(/<script|<link|<img|https?:/)
  expect(page).toContain("default-src 'none'")
  expect(page).toContain('&lt;b&gt;nobody&lt;/b&gt;')
})

test('where there is nothing, that is said in each form', () => {
  expect(terminalLook(nothing, plain)).toBe('dump.yaml: nothing to say')
  expect(markdownLook(nothing)).toContain('Nothing to say.')
  expect(pageOfLook(nothing)).toContain('Nothing to say.')
})

test('of many rows the first are shown, and the rest is counted', () => {
  const present = Array.from({ length: 50 }, (_, at) => ({
    ...{ name: `p${at}`, version: '1', where: 'x', capability: 'reload', isOff: true },
  }))
  expect(markdownLook({ ...nothing, present })).toContain('| and 10 more |')
})
