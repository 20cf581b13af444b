// Records what a real kube-apiserver answers to bad input: `node test/real/bad-input/record.ts [group …]`.
// The twin is held to it by `npm test`.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startControlPlane } from '../control-plane/start.ts'
import { answersTo, type BadInputGroup, type RecordedGroup } from './case.ts'
import { endpointIn } from './endpoint.ts'
import { badInputGroups } from './groups.ts'

const fixtures = join(import.meta.dirname, '..', '..', 'fixtures', 'bad-input')

/** The group as a real server of its own answers it now. */
export async function recordedGroup(group: BadInputGroup): Promise<RecordedGroup> {
  const parts = group.mayHang === true ? group.cases.map(single => ({ ...group, cases: [single] })) : [group]
  const cases: RecordedGroup['cases'][number][] = []
  let server = ''
  for (const part of parts) {
    const plane = await startControlPlane({ scheduler: 'off', controllerManager: false })
    try {
      server = plane.serverVersion
      cases.push(...(await answersTo(endpointIn(plane.kubeconfig), part)))
    } finally {
      await plane.stop()
    }
  }
  return { server, command: `node test/real/bad-input/record.ts ${group.name}`, cases }
}

if (import.meta.main) {
  const wanted = process.argv.slice(2)
  mkdirSync(fixtures, { recursive: true })
  for (const group of badInputGroups.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
    const { cases, ...head } = await recordedGroup(group)
    const lines = cases.map(recorded => `  ${JSON.stringify(recorded)}`)
    writeFileSync(
      join(fixtures, `${group.name}.json`),
      `${JSON.stringify(head).slice(0, -1)},"cases":[\n${lines.join(',\n')}\n]}\n`,
    )
    console.log(`${group.name}: ${cases.length} answers`)
  }
}
