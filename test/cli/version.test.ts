// `ballast version`: what it says of the program, of a cluster as Ballast is installed there, and of one that does not answer.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import { programVersion } from '#kube/version.ts'
import { startTwin } from '#twin/twin.ts'
import type { Surroundings } from '../../src/cli/command-line.ts'
import { processTerminal } from '../../src/cli/terminal/terminal.ts'
import { versionsOf } from '../../src/cli/version/cluster-versions.ts'
import { defineVersion } from '../../src/cli/version/version.ts'
import { installationValues, plainRelease } from '../../src/deployment/installation.ts'
import { objects as installation } from '../../src/deployment/objects.ts'
import { enabledCapabilities } from '../../src/process/enabled-capabilities.ts'
import { embeddedEnding } from '../../src/process/surroundings.ts'

async function said(...words: readonly string[]): Promise<string> {
  const lines: string[] = []
  const surroundings: Surroundings = {
    terminal: { ...processTerminal({}), write: text => lines.push(text) },
    environment: { HOME: '/nowhere' },
    signal: new AbortController().signal,
    ending: embeddedEnding,
    end: code => lines.push(`exit ${code}`),
  }
  const program = new Command().exitOverride()
  defineVersion(program, surroundings, '')
  await program.parseAsync(['node', 'ballast', 'version', ...words])
  return lines.join('\n')
}

test('of the program it says what bug reports ask for', async () => {
  const json = JSON.parse((await said('--client', '-o', 'json')).replace('exit 0', ''))
  expect(json).toEqual({
    apiVersion: 'cli.ballast.dev/v1',
    kind: 'Version',
    clientVersion: {
      version: programVersion,
      gitCommit: expect.stringMatching(/^([0-9a-f]{40}(-dirty)?|unknown)$/),
      nodeVersion: process.version,
      platform: expect.stringMatching(/^\w+\/(amd64|arm64)$/),
      packedAs: 'source',
    },
  })
})

test('without a kubeconfig no cluster is asked', async () => {
  expect(await said()).toMatch(/^ballast \S+\n {2}commit .*\n {2}Node .*\n {2}form {4}sources\nexit 0$/)
})

test('a cluster that does not answer in time is unknown, and the command has done its work', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ballast-version-'))
  try {
    const file = join(folder, 'kubeconfig')
    const cluster = { server: 'https://127.0.0.1:9' }
    const contexts = [{ name: 'a', context: { cluster: 'a', user: 'a' } }]
    writeFileSync(
      file,
      JSON.stringify({ 'current-context': 'a', contexts, clusters: [{ name: 'a', cluster }], users: [{ name: 'a', user: {} }] }),
    )
    expect(await said('--kubeconfig', file, '--timeout', '1')).toMatch(/^cluster {3}unknown: no answer in 1 s\nexit 0$/m)
    // What is wrong in the file is told as well.
    writeFileSync(file, '{')
    expect(await said('--kubeconfig', file)).toMatch(/^cluster {3}unknown: .*kubeconfig/m)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('of a cluster it says what is installed, in which version, and how much of it is ready', async () => {
  const clock = new VirtualClock(Date.parse('2026-03-02T04:00:00Z'))
  const release = plainRelease('ballast', 'ballast-system')
  const objects = installation(installationValues({ enable: ['mirror'] }, enabledCapabilities), {
    capabilities: enabledCapabilities,
    release,
  })
  await using twin = await startTwin({ clock, seed: 1, objects })
  const { signal } = new AbortController()
  const versions = async (credentials: Parameters<typeof twin.transport>[0]) =>
    await versionsOf(openApi(twin.transport(credentials), { clock, userAgent: 'test' }), signal)
  const { kubernetes, ballast } = await versions({ admin: true })
  expect(kubernetes).toMatch(/^v1\.\d+\.\d+/)
  expect(ballast).toEqual([
    {
      ...{ kind: 'Deployment', namespace: 'ballast-system', name: 'ballast-controller' },
      ...{ version: release.version, image: expect.stringContaining(release.version), ready: 0, wanted: 2 },
    },
    expect.objectContaining({ kind: 'DaemonSet', name: 'ballast-agent-mirror', version: release.version, ready: 0 }),
  ])
  const { ballast: unread } = await versions({ user: 'nobody', groups: [] })
  expect(unread).toMatch(/nobody.*cannot list.*deployments/)
})
