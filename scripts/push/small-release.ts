// A folder of artefacts for tests: as `npm run release` makes it, of a few bytes.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { packChart } from '../../src/deployment/packaging/chart-package.ts'
import { billMediaType, chartBill } from '../image/bill-of-materials.ts'
import { type LayerEntry, packLayer } from '../image/layer.ts'
import { OciLayout } from '../image/oci-layout.ts'
import { counted, createdAt, writeArtefact, writeLists } from '../release/artefacts.ts'
import { provenance } from '../release/provenance.ts'

const root = join(import.meta.dirname, '..', '..')
const facts = { version: '1.2.3', revision: 'a'.repeat(40), seconds: 1_760_000_000 }

/** Writes it; `word` is in its layers. */
export async function smallRelease(folder: string, word = 'one'): Promise<void> {
  const { version, revision, seconds } = facts
  const created = createdAt(facts)
  const layout = new OciLayout()
  const images = await Promise.all(
    ['amd64', 'arm64'].map(async architecture => {
      const content = Buffer.from(`${word} for ${architecture}\n`.repeat(100))
      const layer = await packLayer(new Map<string, LayerEntry>([['a', { type: 'file', content }]]), seconds)
      const configuration = { architecture, entrypoint: ['/a'], environment: [], user: '1', ports: [], labels: {}, created }
      return layout.addImage(configuration, [['first', layer]])
    }),
  )
  const index = layout.addIndex(images, version, {})
  layout.attach(index, billMediaType, Buffer.from('{"bomFormat":"CycloneDX"}'), created)
  mkdirSync(join(folder, 'image'), { recursive: true })
  layout.write(join(folder, 'image', 'layout'))
  const chartYaml = `apiVersion: v2\nname: ballast\nversion: ${version}\ndescription: ${word}\n`
  const chart = await packChart('ballast', new Map([['Chart.yaml', chartYaml]]), seconds)
  const bill = chartBill({ version, date: seconds, chart, imageDigest: index.digest })
  const subjects = [['image', index.digest.slice('sha256:'.length)]] as const
  const statement = provenance({ root, revision, platforms: [], subjects, environment: {} })
  const artefacts = [
    writeArtefact(folder, { name: 'ballast-1.2.3.tgz', kind: 'chart' }, chart),
    writeArtefact(folder, { name: 'ballast-1.2.3-chart.cdx.json', kind: 'bill-of-materials', about: 'chart' }, bill),
    writeArtefact(folder, { name: 'ballast-1.2.3.provenance.json', kind: 'provenance' }, statement),
  ]
  writeLists(folder, facts, [...counted(folder, artefacts), { name: 'image/layout', kind: 'image-layout' }])
}
