// Images: where each is, what came from node to node, and which nodes have a mirror.
import type { ImageRow, ImagesView, MirrorRow, RegistryRow } from '../../contract.ts'
import { nodePath } from '../../words/links.ts'
import { percentText } from '../../words/percent.ts'
import { count, memoryExact, memoryShort } from '../../words/quantity.ts'
import { PageTitle } from '../frame/page-title.tsx'
import { A } from '../frame/router.tsx'
import { useTopic } from '../live/topics.ts'
import { DataTable } from '../widgets/data-table.tsx'
import { Empty } from '../widgets/empty.tsx'
import { SentenceText } from '../widgets/sentence-text.tsx'
import { StateNote } from '../widgets/state-note.tsx'
import type { Column } from '../widgets/table-props.ts'

export function ImagesPage() {
  const topic = useTopic<ImagesView>('images')
  return (
    <>
      <PageTitle text="Images" />
      <StateNote topic={topic} what="images">
        {view => <Shown view={view} />}
      </StateNote>
    </>
  )
}

function Shown({ view }: { view: ImagesView }) {
  return (
    <>
      {view.sentences.map(sentence => (
        <p key={sentence.code}>
          <SentenceText of={sentence} />
        </p>
      ))}
      <section class="overview-section" aria-labelledby="mirrors">
        <h2 id="mirrors">Nodes</h2>
        <DataTable
          caption="Image mirrors by node"
          captionHidden
          columns={mirrorColumns}
          rows={view.mirrors}
          rowKey={({ node }) => node}
          open={({ node }) => nodePath(node)}
          card={{ height: 88, cell: row => <MirrorCard row={row} /> }}
          empty={<Empty>The cluster has no nodes.</Empty>}
        />
      </section>
      <section class="overview-section" aria-labelledby="registries">
        <h2 id="registries">Registries</h2>
        <DataTable
          caption="Requests by registry"
          captionHidden
          columns={registryColumns}
          rows={view.registries}
          rowKey={({ name }) => name}
          empty={<Empty>No mirror was asked for anything that its own node did not have.</Empty>}
        />
      </section>
      <section class="overview-section" aria-labelledby="images">
        <h2 id="images">Images</h2>
        <DataTable
          caption={captionOf(view)}
          columns={imageColumns}
          rows={view.images}
          rowKey={({ name }) => name}
          card={{ height: 88, cell: row => <ImageCard row={row} /> }}
          empty={<Empty>No node lists an image, and no pod runs.</Empty>}
        />
      </section>
    </>
  )
}

function captionOf({ images, total }: ImagesView): string {
  if (total === 1) return '1 image'
  return images.length === total ? `${count(total)} images` : `The largest ${count(images.length)} of ${count(total)} images`
}

const states: Readonly<Record<MirrorRow['state'], string>> = {
  serving: '● serving',
  waiting: '◐ not ready',
  silent: '○ silent',
  none: '✕ none',
}

function stateText({ state, because }: MirrorRow): string {
  return because === null || state === 'none' ? states[state] : `${states[state]}: ${because}`
}

const Bytes = ({ bytes }: { bytes: number | null }) => <span title={memoryExact(bytes)}>{memoryShort(bytes)}</span>

const mirrorColumns: readonly Column<MirrorRow>[] = [
  {
    key: 'node',
    title: 'Node',
    width: '16rem',
    isHeader: true,
    cell: ({ node }) => <A href={nodePath(node)}>{node}</A>,
    value: ({ node }) => node,
  },
  { key: 'state', title: 'Mirror', cell: stateText, value: ({ state }) => state },
  { key: 'images', title: 'Images', width: '6rem', isNumber: true, cell: row => count(row.images), value: row => row.images },
  {
    key: 'from-nodes',
    title: 'From nodes',
    width: '8rem',
    isNumber: true,
    cell: ({ fromNodes }) => <Bytes bytes={fromNodes} />,
    value: ({ fromNodes }) => fromNodes,
  },
  {
    key: 'from-outside',
    title: 'From outside',
    width: '8rem',
    isNumber: true,
    cell: ({ fromOutside }) => <Bytes bytes={fromOutside} />,
    value: ({ fromOutside }) => fromOutside,
  },
  {
    key: 'to-nodes',
    title: 'To nodes',
    width: '8rem',
    isNumber: true,
    cell: ({ toNodes }) => <Bytes bytes={toNodes} />,
    value: ({ toNodes }) => toNodes,
  },
]

function MirrorCard({ row }: { row: MirrorRow }) {
  return (
    <>
      <div>
        <A href={nodePath(row.node)}>{row.node}</A>
      </div>
      <div>{stateText(row)}</div>
      <div class="widgets-muted">
        {count(row.images)} images · {memoryShort(row.fromNodes)} from nodes
      </div>
    </>
  )
}

const registryColumns: readonly Column<RegistryRow>[] = [
  { key: 'name', title: 'Registry', isHeader: true, cell: ({ name }) => name, value: ({ name }) => name },
  { key: 'hits', title: 'From nodes', width: '8rem', isNumber: true, cell: row => count(row.hits), value: row => row.hits },
  { key: 'misses', title: 'Sent on', width: '8rem', isNumber: true, cell: row => count(row.misses), value: row => row.misses },
  {
    key: 'share',
    title: 'Share',
    width: '6rem',
    isNumber: true,
    cell: ({ hits, misses }) => percentText(hits, hits + misses),
    value: ({ hits, misses }) => hits / Math.max(1, hits + misses),
  },
]

const nodesShown = 4

const imageColumns: readonly Column<ImageRow>[] = [
  {
    key: 'name',
    title: 'Image',
    width: '30rem',
    isHeader: true,
    cell: ({ name, digest }) => <span title={digest ?? name}>{name}</span>,
    value: ({ name }) => name,
  },
  {
    key: 'bytes',
    title: 'Size',
    width: '6rem',
    isNumber: true,
    cell: ({ bytes }) => <Bytes bytes={bytes} />,
    value: row => row.bytes,
  },
  { key: 'nodes', title: 'Nodes', width: '5rem', isNumber: true, cell: row => count(row.nodeCount), value: row => row.nodeCount },
  { key: 'on', title: 'On', cell: row => onText(row), value: ({ nodes }) => nodes.join(' ') },
  { key: 'pulls', title: 'Under way', cell: row => pullsText(row), value: ({ pulls }) => pulls.length },
]

function onText({ nodes, nodeCount }: ImageRow): string {
  const more = nodeCount - Math.min(nodes.length, nodesShown)
  return `${nodes.slice(0, nodesShown).join(', ')}${more > 0 ? ` and ${count(more)} more` : ''}`
}

const sources = { outside: 'from outside', peer: 'from a node', relay: 'as it comes to a node' } as const

function pullsText({ pulls }: ImageRow): string {
  return pulls
    .map(({ node, from, done, bytes }) => `${node} ${sources[from]}${done === null ? '' : ` ${percentText(done, bytes)}`}`)
    .join(', ')
}

function ImageCard({ row }: { row: ImageRow }) {
  return (
    <>
      <div>{row.name}</div>
      <div>
        {memoryShort(row.bytes)} on {count(row.nodeCount)} {row.nodeCount === 1 ? 'node' : 'nodes'}
      </div>
      <div class="widgets-muted">{row.pulls.length === 0 ? onText(row) : pullsText(row)}</div>
    </>
  )
}
