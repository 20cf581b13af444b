// Records what upstream's sidecars and our driver make of `test/nfs-attributes-scenarios.ts` in `test/fixtures/nfs/attributes.json`:
// `node test/real/nfs/record-attributes.ts [scenario …]`; with names it prints those and writes nothing.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { attributesScenarios } from '../../nfs-attributes-scenarios.ts'
import { upstreamVersion } from '../upstreams/build.ts'
import { playClaims } from './claim-outcomes.ts'
import { startClaimsSite } from './claims-site.ts'
import { changingDriver } from './our-driver.ts'
import { startSidecars, upstreamSidecars, withClasses } from './sidecars.ts'

const recording = join(import.meta.dirname, '..', '..', 'fixtures', 'nfs', 'attributes.json')

if (import.meta.main) {
  const names = process.argv.slice(2)
  const chosen = attributesScenarios.filter(({ name }) => names.length === 0 || names.includes(name))
  await using site = await startClaimsSite(changingDriver)
  await using _sidecars = await startSidecars(site, await upstreamSidecars(), { flagsOf: withClasses })
  const outcomes = await playClaims(site, chosen, ({ name }) => console.error(`played ${name}`))
  if (names.length > 0) console.log(JSON.stringify(outcomes, null, 1))
  else {
    const by = (['csi-provisioner', 'csi-resizer'] as const).map(upstreamVersion)
    const about = { by, kubernetes: site.plane.serverVersion, command: 'node test/real/nfs/record-attributes.ts' }
    writeFileSync(recording, `${JSON.stringify({ ...about, outcomes }, null, 1)}\n`)
    console.log(`${outcomes.length} scenarios`)
  }
}
