// Records what upstream's sidecars and driver make of `test/nfs-claim-scenarios.ts` in `test/fixtures/nfs/claims.json`, and upstream's definitions of snapshots
// beside it: `node test/real/nfs/record-claims.ts [scenario …]`; with names it prints those and writes nothing.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { claimScenarios } from '../../nfs-claim-scenarios.ts'
import { upstreamVersion } from '../upstreams/build.ts'
import { playClaims } from './claim-outcomes.ts'
import { crdsText, sidecarNamespace, snapshotClient, snapshotCrds, startClaimsSite } from './claims-site.ts'
import { startSidecars, upstreamSidecars } from './sidecars.ts'

const recordings = join(import.meta.dirname, '..', '..', 'fixtures', 'nfs')

if (import.meta.main) {
  const names = process.argv.slice(2)
  const chosen = claimScenarios.filter(({ name }) => names.length === 0 || names.includes(name))
  await using site = await startClaimsSite()
  await using _sidecars = await startSidecars(site, await upstreamSidecars())
  const outcomes = await playClaims(site, chosen, ({ name }) => console.error(`played ${name}`))
  if (names.length > 0) console.log(JSON.stringify(outcomes, null, 1))
  else {
    const leases = (await site.plane.client.want(
      'GET',
      `/apis/coordination.k8s.io/v1/namespaces/${sidecarNamespace}/leases`,
    )) as unknown as {
      readonly items: readonly { readonly metadata: { readonly name: string } }[]
    }
    const by = (['csi-driver-nfs', 'csi-provisioner', 'csi-resizer', 'csi-snapshotter'] as const).map(upstreamVersion)
    const about = { by, kubernetes: site.plane.serverVersion, command: 'node test/real/nfs/record-claims.ts' }
    mkdirSync(recordings, { recursive: true })
    const recorded = { ...about, leases: leases.items.map(({ metadata }) => metadata.name).toSorted(), outcomes }
    writeFileSync(join(recordings, 'claims.json'), `${JSON.stringify(recorded, null, 1)}\n`)
    const origin = `# Definitions of ${snapshotClient.path} ${snapshotClient.version}, without descriptions: node test/real/nfs/record-claims.ts\n`
    writeFileSync(join(recordings, 'snapshot-crds.yaml'), origin + crdsText(await snapshotCrds()))
    console.log(`${outcomes.length} scenarios`)
  }
}
