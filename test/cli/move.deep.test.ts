// `ballast migrate` and `ballast doctor` as users run them: on files, on a repository, on a twin over HTTPS, and on bad input.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { systemClock } from '#kube/clock.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { surroundings } from '../reload-cluster.ts'
import { upstreamInstallation, users } from '../swap-site.ts'
import { runBallast } from './run-ballast.ts'

const repositories = join(import.meta.dirname, '../fixtures/repositories')
let folder = ''
let kubeconfig = ''
let twin: Twin

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-move-'))
  const objects = [...users, ...upstreamInstallation()]
  twin = await startTwin({ clock: systemClock, listen: { port: 0 }, objects: [...surroundings(objects), ...objects] })
  kubeconfig = join(folder, 'kubeconfig')
  writeFileSync(kubeconfig, await twin.kubeconfig())
})
afterAll(async () => {
  await twin.stop()
  rmSync(folder, { recursive: true, force: true })
})

describe('migrate values', () => {
  const release = join(repositories, 'media/kubernetes/apps/kube-system/reloader/app/helmrelease.yaml')

  test('the values go to standard output, what became of each key to standard error', async () => {
    const { code, output, words } = await runBallast(['migrate', 'values', '--from', 'reloader', release])
    expect(code).toBe(0)
    expect(parse(output)).toEqual({
      capabilities: { reload: { enabled: true } },
      metrics: { podMonitor: { enabled: true, namespace: '{{ .Release.Namespace }}' } },
    })
    expect(words).toContain('reloader.readOnlyRootFileSystem')
  })

  test('into a file, and by standard input', async () => {
    const file = join(folder, 'values.yaml')
    const { code, output } = await runBallast(
      ['migrate', 'values', '--from', 'reloader@2.2.7', '-', '-o', file],
      'reloader:\n  autoReloadAll: true # all\n',
    )
    expect([code, output]).toEqual([0, ''])
    expect(readFileSync(file, 'utf8')).toBe('capabilities:\n  reload:\n    enabled: true\n    autoReloadAll: true # all\n')
  })

  test.each([
    ['a key that is lost', 'reloader: {isOpenshift: true}', [], 1],
    ['the same, agreed to', 'reloader: {isOpenshift: true}', ['--allow-lossy'], 0],
    ['an unknown key', 'reloader: {autoReloadall: true}', [], 1],
    ['no YAML', 'reloader: [', [], 2],
  ])('%s', async (_name, text, more, expected) => {
    const { code } = await runBallast(['migrate', 'values', '--from', 'reloader', '-', ...more], text)
    expect(code).toBe(expected)
  })

  test.each([
    ['mirror', 'expected spegel'],
    ['reloader@1.0.0', 'expected one from 2.2.7 to 2.2.16'],
  ])('--from %s is refused', async (from, words) => {
    const ended = await runBallast(['migrate', 'values', '--from', from, '-'], '')
    expect(ended.code).toBe(2)
    expect(ended.words).toContain(words)
  })

  test('json has values and report', async () => {
    const { output } = await runBallast(
      ['migrate', 'values', '--from', 'reloader', '-', '--format', 'json'],
      'reloader: {logLevel: debug}',
    )
    expect(JSON.parse(output)).toMatchObject({
      apiVersion: 'cli.ballast.dev/v1',
      kind: 'ConvertedValues',
      isLossy: false,
      values: { process: { logLevel: 'debug' } },
      report: [{ from: 'reloader.logLevel', kind: 'carried', to: 'process.logLevel' }],
    })
  })
})

describe('doctor', () => {
  test.each([
    ['a repository in order', ['--repo', join(repositories, 'media')], 0],
    ['a broken one', ['--repo', join(repositories, 'broken')], 3],
    ['only its warnings', ['reload', '--repo', join(repositories, 'broken')], 0],
    ['its warnings, strictly', ['reload', '--strict', '--repo', join(repositories, 'broken')], 3],
    ['one finding that is not there', ['--check', 'lease-held', '--repo', join(repositories, 'broken')], 0],
    ['no such folder', ['--repo', join(repositories, 'nowhere')], 2],
    ['no such area', ['upstream', '--repo', repositories], 2],
    ['no such finding', ['--check', 'double-dutty', '--repo', repositories], 2],
    ['nothing to look at', [], 2],
    ['two things to look at', ['--repo', '.', '--cluster', '.'], 2],
  ])('%s', async (_name, args, expected) => {
    const { code, words } = await runBallast(['doctor', ...args])
    expect(code, words).toBe(expected)
  })

  test('json to a pipe has no escapes and parses (case 38)', async () => {
    const { code, output, words } = await runBallast(['doctor', '--kubeconfig', kubeconfig, '-o', 'json'])
    expect(code, words).toBe(0)
    expect(`${output}${words}`).not.toContain('\u001b')
    const report = JSON.parse(output)
    expect(report).toMatchObject({ apiVersion: 'cli.ballast.dev/v1', kind: 'DoctorReport', unread: [] })
    expect(report.findings).toMatchObject([
      { id: 'upstream-present', object: 'Deployment reloader/reloader-reloader', fix: 'ballast migrate plan reloader' },
    ])
  })
})

describe('migrate plan and apply', () => {
  test('the plan names steps, proofs and ways back, and changes nothing', async () => {
    const before = twin.dump().length
    const { code, output, words } = await runBallast(['migrate', 'plan', 'reloader', '--kubeconfig', kubeconfig])
    expect(code, words).toBe(0)
    expect(
      output
        .split('\n')
        .filter(line => /^ ?\d/.test(line))
        .map(line => line.trim().split(/[ :]/)[1]),
    ).toEqual(['check', 'convert', 'install', 'shadow', 'switch', 'prove', 'remove', 'doctor'])
    expect(output).toContain('kubectl -n reloader scale deployment reloader-reloader --replicas=1')
    expect(twin.dump()).toHaveLength(before)
  })

  test('nothing is applied where nobody can be asked', async () => {
    const { code, words } = await runBallast(['migrate', 'apply', 'reloader', '--kubeconfig', kubeconfig])
    expect(code).toBe(2)
    expect(words).toContain('--yes')
  })

  test('the first step only looks', async () => {
    const { code, words } = await runBallast(['migrate', 'apply', 'reloader', '--yes', '--kubeconfig', kubeconfig])
    expect(code, words).toBe(0)
    expect(words).toMatch(/^check: done: Deployment reloader\/reloader-reloader is awake/m)
    const { output } = await runBallast(['migrate', 'plan', 'reloader', '-o', 'json', '--kubeconfig', kubeconfig])
    expect(JSON.parse(output)).toMatchObject({
      kind: 'MigrationPlan',
      steps: [{ id: 'check', isDone: true }, { id: 'convert', isDone: false }, {}, {}, {}, {}, {}, {}],
    })
  })

  test.each([
    ['another component', ['plan', 'velero'], 2],
    ['one that is not installed', ['plan', 'keda'], 3],
    ['back, where Ballast is not', ['plan', 'reloader', '--back'], 3],
    ['a step and all', ['apply', 'reloader', '--all', '--step', '1', '--yes'], 2],
  ])('%s', async (_name, args, expected) => {
    const { code, words } = await runBallast(['migrate', ...args, '--kubeconfig', kubeconfig])
    expect(code, words).toBe(expected)
  })
})
