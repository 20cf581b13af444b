import { expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { tokenConfig } from '#kube/credentials/cluster-config.ts'
import { issueAuthority } from '#kube/server/certificates.ts'
import { KnownContainers } from '../decode/known-containers.ts'
import { type KubeletSettings, openKubelets } from './kubelet-access.ts'

const names = { authority: '--a', certificate: '--c', key: '--k' }
const settings: KubeletSettings = {
  ...{ requestTimeoutMs: 200, isInsecure: false, isPlain: false, authorityFile: '', certificateFile: '', keyFile: '' },
  ...{ format: 'text', gzip: false },
}

test('what the process said of its own authority is not said again for kubelets', async () => {
  // It ends in five days: whoever reads it says so.
  const nowMs = systemClock.now() - 360 * 86_400_000
  const { certificate } = await issueAuthority({ commonName: 'short', nowMs, lifeMs: 365 * 86_400_000 })
  const said: string[] = []
  const log = {
    debug: () => undefined,
    info: () => undefined,
    warn: (_: object, text: string) => void said.push(text),
    error: () => undefined,
  }
  const config = tokenConfig({ server: 'https://127.0.0.1:1', token: 't', authority: certificate, source: 'test' })
  await using client = await openKubelets(settings, config, { clock: systemClock, log, environment: {}, names })
  await client.scrape('https://127.0.0.1:9/metrics/resource', new KnownContainers(), new AbortController().signal)
  expect(said).toEqual([])
})
