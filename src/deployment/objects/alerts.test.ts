// Alerts that ship: each is explained, and asks for what is counted.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { enabledCapabilities as capabilities } from '#process/enabled-capabilities.ts'
import { installationValues, plainRelease } from '../installation.ts'
import { objects } from '../objects.ts'
import { alertGroups } from './alerts.ts'

const root = join(import.meta.dirname, '..', '..', '..')
const rules = alertGroups(capabilities).flatMap(group => group.rules)

test('each has its heading in docs/alerts.md, and nothing else has', () => {
  const headings = readFileSync(join(root, 'docs', 'alerts.md'), 'utf8').matchAll(/^### (.+)$/gm)
  expect(Array.from(headings, ([, heading]) => heading).toSorted()).toEqual(rules.map(({ alert }) => alert).toSorted())
})

test('no two have one name', () => {
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length)
})

test('what alerts and panels ask for is counted by name somewhere', () => {
  const sources = globSync('src/**/*.ts', { cwd: root })
    .filter(path => !/monitoring\.ts$|alerts\.ts$|dashboard\.ts$|\.test\.ts$/.test(path))
    .map(path => readFileSync(join(root, path), 'utf8'))
  const asked = [...rules, ...capabilities.flatMap(({ panels }) => panels?.panels ?? [])].flatMap(({ expr }) =>
    Array.from(expr.matchAll(/\b(?:ballast|spegel|metrics_server|reloader)_\w+/g), ([name]) => name.replace(/_bucket$/, '')),
  )
  const names = [...new Set(asked)]
  expect(names.length).toBeGreaterThan(25)
  // Some are made with a prefix that several share.
  const forms = (name: string) => [name, name.replace('ballast_rebalance_', '')].map(form => `'${form}'`)
  expect(names.filter(name => !sources.some(text => forms(name).some(form => text.includes(form))))).toEqual([])
})

test.each([
  ['by default', {}, 'https://github.com/ballast-dev/ballast/blob/main/docs/alerts.md#ballastdown'],
  ['another page', { runbooks: 'https://wiki.example/ballast' }, 'https://wiki.example/ballast#ballastdown'],
  ['none', { runbooks: '' }, undefined],
])('an alert names where it is explained: %s', (_, own, url) => {
  const values = installationValues({ preset: { prometheusRule: { enabled: true, ...own } } }, capabilities)
  const made = objects(values, { capabilities, release: plainRelease('ballast', 'ballast-system') })
  expect(made.find(({ kind }) => kind === 'PrometheusRule')).toMatchObject({
    spec: {
      groups: expect.arrayContaining([
        {
          name: 'ballast-core',
          rules: expect.arrayContaining([
            expect.objectContaining({
              alert: 'BallastDown',
              annotations: { summary: expect.any(String), description: expect.any(String), ...(url && { runbook_url: url }) },
            }),
          ]),
        },
      ]),
    },
  })
})
