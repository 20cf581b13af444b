// `ballast migrate helmfile` as users run it: in a folder of git's, twice, and what it refuses.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { runBallast } from './run-ballast.ts'

const text =
  'releases:\n  - name: spegel\n    namespace: kube-system\n    chart: oci://r.example/spegel\n    version: 0.7.4\n    values: [spegel.yaml]\n  - name: cert-manager\n    chart: jetstack/cert-manager\n    needs: [kube-system/spegel]\n'

let folder = ''
let file = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-helmfile-'))
  const place = join(folder, 'bootstrap', 'helmfile.d')
  mkdirSync(place, { recursive: true })
  file = join(place, '01-apps.yaml')
  writeFileSync(file, text)
  writeFileSync(join(place, 'spegel.yaml'), 'service:\n  registry:\n    hostPort: 29999\n')
})
afterEach(() => rmSync(folder, { recursive: true }))

const git = (...args: readonly string[]) =>
  execFileSync('git', ['-C', folder, '-c', 'user.name=a', '-c', 'user.email=a@b.example', ...args], { encoding: 'utf8' })
const keep = () => {
  git('init', '-q')
  git('add', '.')
  git('commit', '-qm', 'first')
}
const helmfile = (...args: readonly string[]) => runBallast(['migrate', 'helmfile', file, ...args])

test('shown, taken by git, written beside what helmfile reads; then there is nothing to do', async () => {
  keep()
  expect(await helmfile('--check')).toMatchObject({ code: 3 })
  const shown = await helmfile()
  expect(shown.code).toBe(0)
  execFileSync('git', ['-C', folder, 'apply', '--check'], { input: `${shown.output.trimEnd()}\n` })
  expect(git('status', '--short')).toBe('')
  expect(await helmfile('--write', '--chart', 'oci://mirror.example/ballast')).toMatchObject({ code: 0 })
  expect(git('status', '--short', '-uall')).toBe(
    ' M bootstrap/helmfile.d/01-apps.yaml\n?? bootstrap/helmfile.d/values/ballast-values-01-apps.yaml\n',
  )
  expect(readFileSync(file, 'utf8')).toContain('chart: oci://mirror.example/ballast\n')
  expect(await helmfile('--check')).toMatchObject({ code: 0, output: '' })
})

test('nothing is written where something is not as it should be', async () => {
  expect(await helmfile('--write')).toMatchObject({ code: 2, words: expect.stringContaining('is in no git repository') })
  keep()
  writeFileSync(file, text.replace('0.7.4', '0.7.3'))
  expect((await helmfile('--write')).words).toContain('changed since the last commit')
  writeFileSync(file, text.replace('0.7.4', '{{ env "V" }}'))
  expect(await helmfile()).toMatchObject({
    code: 2,
    words: expect.stringMatching(/01-apps\.yaml:5:14: a template outside of quotes/),
  })
  const gone = await runBallast(['migrate', 'helmfile', join(folder, 'absent.yaml')])
  expect(gone).toMatchObject({ code: 2, words: expect.stringContaining('there is no such file, expected a helmfile') })
  writeFileSync(file, text.replace('spegel.yaml', 'absent.yaml'))
  const lossy = await helmfile('-o', 'json')
  expect(lossy.code).toBe(1)
  expect(JSON.parse(lossy.output)).toMatchObject({ releases: [{ outcome: 'refused', reason: 'lossy' }], changes: [] })
})
