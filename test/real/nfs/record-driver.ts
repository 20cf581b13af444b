// Records what upstream's driver makes of `test/nfs-driver-cases.ts` in `test/fixtures/nfs/driver-answers.json`:
// `node test/real/nfs/record-driver.ts [part of a case's name …]`; with names it prints those and writes nothing.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { callCount, driverCases } from '../../nfs-driver-cases.ts'
import type { CaseAnswers } from '../../nfs-player.ts'
import { upstreamVersion } from '../upstreams/build.ts'
import { answersTo } from './driver-answers.ts'
import { upstreamDriver } from './driver-process.ts'

const file = join(import.meta.dirname, '..', '..', 'fixtures', 'nfs', 'driver-answers.json')

if (import.meta.main) {
  const names = process.argv.slice(2)
  const chosen = driverCases.filter(({ name }) => names.length === 0 || names.some(part => name.includes(part)))
  const command = await upstreamDriver()
  const cases: CaseAnswers[] = []
  for (const one of chosen) cases.push(await answersTo(command, one))
  if (names.length > 0) console.log(JSON.stringify(cases, null, 1))
  else {
    const about = { by: upstreamVersion('csi-driver-nfs'), command: 'node test/real/nfs/record-driver.ts' }
    mkdirSync(join(file, '..'), { recursive: true })
    writeFileSync(file, `${JSON.stringify({ ...about, cases }, null, 1)}\n`)
    console.log(`${cases.length} cases, ${chosen.reduce((sum, { steps }) => sum + callCount(steps), 0)} calls`)
  }
}
