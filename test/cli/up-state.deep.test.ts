// `ballast up --state`: the cluster with Ballast in it goes on where an earlier process left it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import { systemClock } from '#kube/clock.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { runBallast } from './run-ballast.ts'
import { startBallast } from './running-ballast.ts'

const cluster = `apiVersion: v1
kind: Node
metadata: { name: n1 }
status: { capacity: { cpu: "4", memory: 8Gi, pods: "110" }, allocatable: { cpu: "4", memory: 8Gi, pods: "110" } }
---
apiVersion: v1
kind: Pod
metadata: { name: web, namespace: default }
spec: { containers: [{ name: main, image: app:1 }] }
`
const signal = new AbortController().signal

async function uidOfMap(kubeconfig: string, isNew: boolean): Promise<string | undefined> {
  const config = await loadConfig({ environment: {}, homeDirectory: '/nowhere', kubeconfig })
  const api = openApi(openHttpTransport(config, { clock: systemClock, random: seededRandom(1) }), {
    clock: systemClock,
    userAgent: 'test',
  })
  const maps = api.resource(builtIn.configmaps)
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'mine', namespace: 'default' } }
  const options = { namespace: 'default', signal }
  const { metadata } = isNew ? await maps.create(object, options) : await maps.get('mine', options)
  await api.close()
  return metadata.uid
}

test('objects of one life are there in the next', { timeout: 280_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ballast-up-state-'))
  try {
    const file = join(folder, 'cluster.yaml')
    const kubeconfig = join(folder, 'kubeconfig')
    writeFileSync(file, cluster)
    const args = ['up', '--cluster', file, '--state', join(folder, 'state'), '--kubeconfig-out', kubeconfig, '--port', '0']
    const uids: (string | undefined)[] = []
    for (const life of [1, 2]) {
      await using running = startBallast(args)
      await running.said(/Ctrl-C ends it/)
      uids.push(await uidOfMap(kubeconfig, life === 1))
      expect(/goes on from revision \d+/.test(running.words)).toBe(life === 2)
      expect(await running.stop()).toBe(0)
      expect(running.words).not.toMatch(/cannot be written/)
    }
    expect(uids[0]).toBeDefined()
    expect(uids[1]).toBe(uids[0])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('what ends with what it prints keeps nothing', async () => {
  const { code, words } = await runBallast(['up', '--once', '--state', 'anywhere'])
  expect([code, words]).toEqual([2, expect.stringContaining('leave out --state')])
})
