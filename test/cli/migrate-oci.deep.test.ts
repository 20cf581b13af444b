// `ballast migrate oci` as users run it: on a folder of git's, twice, and on folders that it leaves alone.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { smallRegistry } from '../../scripts/push/small-registry.ts'
import { runBallast } from './run-ballast.ts'

const source =
  'apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata: {name: stakater, namespace: apps}\nspec: {url: "https://stakater.github.io/stakater-charts"}\n'
const release =
  'apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: reloader\n  namespace: apps\nspec:\n  chart:\n    spec:\n      chart: reloader\n      version: 2.2.16\n      sourceRef:\n        kind: HelmRepository\n        name: stakater\n'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-oci-'))
  writeFileSync(join(folder, 'release.yaml'), release)
  writeFileSync(join(folder, 'source.yaml'), source)
})
afterEach(() => rmSync(folder, { recursive: true }))

const git = (...args: readonly string[]) =>
  execFileSync('git', ['-C', folder, '-c', 'user.name=a', '-c', 'user.email=a@b.example', ...args], { encoding: 'utf8' })
const keep = () => {
  git('init', '-q')
  git('add', '.')
  git('commit', '-qm', 'first')
}
const oci = (...args: readonly string[]) => runBallast(['migrate', 'oci', folder, ...args])

test('shown, taken by git, written; then there is nothing to do', async () => {
  keep()
  expect(await oci('--check')).toMatchObject({ code: 3 })
  const shown = await oci('--prune-repositories')
  expect(shown.code).toBe(0)
  execFileSync('git', ['-C', folder, 'apply', '--check'], { input: `${shown.output.trimEnd()}\n` })
  expect(git('status', '--short')).toBe('')
  expect(await oci('--prune-repositories', '--write')).toMatchObject({ code: 0 })
  expect(git('status', '--short')).toBe(' M release.yaml\n D source.yaml\n')
  const again = await oci('--check')
  expect(again).toMatchObject({ code: 0, output: '' })
  expect(again.words).toContain('nothing to do')
})

test('what git could not bring back is not written; a refusal ends with 1', async () => {
  expect(await oci('--write')).toMatchObject({ code: 2 })
  keep()
  writeFileSync(join(folder, 'release.yaml'), release.replace('2.2.16', '2.2.15'))
  expect((await oci('--write')).words).toContain('changed since the last commit')
  expect(readFileSync(join(folder, 'release.yaml'), 'utf8')).not.toContain('chartRef')
  writeFileSync(join(folder, 'release.yaml'), release.replace('fluxcd.io/v2', 'fluxcd.io/v2beta1'))
  expect(await oci()).toMatchObject({ code: 1, output: '' })
})

test('with --online the registry is asked: a tag that is there moves, one that is not stays', async () => {
  await using registry = await smallRegistry({ fault: (_, request) => ({ status: request.endsWith('/2.2.16') ? 200 : 404 }) })
  writeFileSync(
    join(folder, 'source.yaml'),
    source.replace('https://stakater.github.io/stakater-charts', `${registry.origin.replace('http', 'oci')}/charts`),
  )
  const there = await oci('--online')
  expect(there).toMatchObject({ code: 0, output: expect.stringContaining('+    tag: 2.2.16') })
  expect(there.words).toContain('1 of 1 are at their registries')
  writeFileSync(join(folder, 'release.yaml'), release.replace('2.2.16', '2.2.99'))
  const absent = await oci('--online')
  expect(absent).toMatchObject({ code: 1, output: '' })
  expect(absent.words).toContain('[tag-absent]')
  expect(registry.asked).toEqual(['2.2.16', '2.2.99'].map(tag => `HEAD /v2/charts/reloader/manifests/${tag}`))
})
