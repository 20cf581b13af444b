// The moves of a plan in the order in which they are carried out, a page at a time, each with its proof to unfold.
import { useEffect, useMemo, useState } from 'preact/hooks'
import type { Move, MovePage, PlanView } from '../../contract.ts'
import { apiPath, nodePath, workloadPath } from '../../words/links.ts'
import { printable, shortName } from '../../words/names.ts'
import { count, cpuExact, memoryExact } from '../../words/quantity.ts'
import { A } from '../frame/router.tsx'
import { ApiProblem, getJson } from '../live/requests.ts'
import { Fold } from '../widgets/fold.tsx'
import { narrow, printing } from '../widgets/narrow.ts'
import { SentenceText } from '../widgets/sentence-text.tsx'
import { Certificate } from './plan-certificate.tsx'
import { firstOfWaves, placesOf } from './plan-waves.ts'

/** With their proofs unfolded still fewer rows than a table may have in the document. */
const movesShown = 25
const wavesNamed = 20

export function PlanMoves({ view }: { view: PlanView }) {
  const { moves, problem, loadMore } = useAllMoves(view)
  const [from, setFrom] = useState(0)
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set())
  const places = useMemo(() => placesOf(moves), [moves])
  if (view.moveCount === 0) return null
  const shown = printing.value ? moves : moves.slice(from, from + movesShown)
  const toggle = (id: string) => setOpen(new Set(open.has(id) ? [...open].filter(one => one !== id) : [...open, id]))
  const show = (start: number) => {
    setFrom(start)
    if (start + movesShown > moves.length) loadMore()
  }
  const waves = firstOfWaves(moves)
  const row = (move: Move) => ({
    move,
    place: places.get(move.id) ?? '',
    isOpen: open.has(move.id),
    onToggle: () => toggle(move.id),
    view,
  })
  return (
    <Fold title="Moves" count={view.moveCount}>
      {waves.length > 1 && view.moveCount > movesShown ? (
        <nav class="plan-waves" aria-label="Waves">
          <span class="widgets-muted">Wave</span>
          {waves.slice(0, wavesNamed).map(({ wave, index }) => (
            <button key={wave} type="button" class="widgets-link" onClick={() => show(index)}>
              {wave}
            </button>
          ))}
          {waves.length > wavesNamed ? <span class="widgets-muted">… {waves.at(-1)?.wave}</span> : null}
        </nav>
      ) : null}
      {narrow.value ? (
        <ol class="plan-cards">
          {shown.map(move => (
            <MoveCard key={move.id} {...row(move)} />
          ))}
        </ol>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
        <section class="widgets-table-region" aria-label="Moves" tabIndex={0}>
          <table class="widgets-table plan-moves">
            <caption class="frame-unseen">Moves in the order in which they are carried out</caption>
            <thead>
              <tr>
                {['Move', 'Pod', 'From and to', 'CPU', 'Memory', 'Why', 'Proof', 'State'].map(title => (
                  <th key={title} scope="col" data-number={title === 'CPU' || title === 'Memory'}>
                    {title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {shown.map(move => (
                <MoveRow key={move.id} {...row(move)} />
              ))}
            </tbody>
          </table>
        </section>
      )}
      {problem === undefined ? null : (
        <p class="widgets-note" role="alert">
          {problem}{' '}
          <button type="button" class="widgets-link" onClick={loadMore}>
            Try again
          </button>
        </p>
      )}
      <div class="widgets-tools">
        <A class="widgets-link" href={apiPath(['export', 'moves.csv'], { plan: view.head.name })} download>
          CSV
        </A>
      </div>
      {view.moveCount > movesShown ? <Pager from={from} total={view.moveCount} show={show} /> : null}
    </Fold>
  )
}

function Pager({ from, total, show }: { from: number; total: number; show: (start: number) => void }) {
  return (
    <nav class="plan-pager" aria-label="Pages of moves">
      <button type="button" class="widgets-button" disabled={from === 0} onClick={() => show(Math.max(0, from - movesShown))}>
        Earlier
      </button>
      <span>{`${count(from + 1)} to ${count(Math.min(total, from + movesShown))} of ${count(total)}`}</span>
      <button type="button" class="widgets-button" disabled={from + movesShown >= total} onClick={() => show(from + movesShown)}>
        Later
      </button>
    </nav>
  )
}

/** The moves that came with the plan and those that were fetched beyond; these are fetched anew when the plan goes on. */
function useAllMoves({ head, moves, moveCount }: PlanView) {
  const [beyond, setBeyond] = useState<readonly Move[]>([])
  const [problem, setProblem] = useState<string>()
  const load = async (wanted: number) => {
    try {
      const all: Move[] = []
      let next: string | null | undefined
      do {
        const page: MovePage = await getJson(apiPath(['plans', head.name, 'moves'], { cursor: next }))
        all.push(...page.moves)
        next = page.next
      } while (next !== null && all.length < wanted)
      setBeyond(all.slice(moves.length))
      setProblem(undefined)
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error
      setProblem(`More moves could not be read: ${error.message}`)
    }
  }
  useEffect(() => {
    if (beyond.length > 0) void load(moves.length + beyond.length)
  }, [head.done, head.failed, head.phase])
  const all = beyond.length === 0 ? moves : [...moves, ...beyond]
  return {
    moves: all,
    problem,
    loadMore: () => {
      if (all.length < moveCount) void load(all.length + movesShown)
    },
  }
}

interface MoveProps {
  move: Move
  /** `1.2`: its wave and its place in it. */
  place: string
  isOpen: boolean
  onToggle: () => void
  view: PlanView
}

function MoveRow({ move, place, isOpen, onToggle, view }: MoveProps) {
  return (
    <>
      <tr data-state={move.state} data-row={move.id} tabIndex={-1}>
        <td>
          <Unfold move={move} place={place} isOpen={isOpen} onToggle={onToggle} />
        </td>
        <th scope="row">
          <PodName move={move} />
        </th>
        <td class="plan-way">
          <A href={nodePath(move.from)}>{shortName(move.from, 20)}</A> → <A href={nodePath(move.to)}>{shortName(move.to, 20)}</A>
        </td>
        <td data-number>{cpuExact(move.cpu)}</td>
        <td data-number>{memoryExact(move.memory)}</td>
        <td>
          <Why move={move} />
        </td>
        <td class="plan-proof">{view.head.proven ? 'proof ✓' : 'see proof'}</td>
        <td class="plan-state">{printable(move.stateText)}</td>
      </tr>
      {isOpen ? (
        <tr class="plan-detail">
          <td colSpan={8}>
            <Certificate plan={view.head.name} move={move} />
          </td>
        </tr>
      ) : null}
    </>
  )
}

function MoveCard({ move, place, isOpen, onToggle, view }: MoveProps) {
  return (
    <li class="plan-card" data-state={move.state} data-row={move.id}>
      <div class="plan-card-head">
        <Unfold move={move} place={place} isOpen={isOpen} onToggle={onToggle} />
        <PodName move={move} />
      </div>
      <div>
        {move.from} → {move.to} · {cpuExact(move.cpu)} {memoryExact(move.memory)}
      </div>
      <div class="widgets-muted">
        <Why move={move} />
      </div>
      <div class="plan-state">
        {view.head.proven ? 'proof ✓ · ' : ''}
        {printable(move.stateText)}
      </div>
      {isOpen ? <Certificate plan={view.head.name} move={move} /> : null}
    </li>
  )
}

function Unfold({ move, place, isOpen, onToggle }: Pick<MoveProps, 'move' | 'place' | 'isOpen' | 'onToggle'>) {
  return (
    <button
      type="button"
      class="plan-unfold"
      aria-expanded={isOpen}
      aria-label={`Proof of move ${place}, ${move.workload.name}`}
      onClick={onToggle}
    >
      <span aria-hidden="true">{isOpen ? '▾' : '▸'}</span> {place}
    </button>
  )
}

/** `monitoring/mimir-querier-7c9f…-x2k9p`: of the pod, leading to its workload. */
function PodName({ move: { pod, workload, volumeBound } }: { move: Move }) {
  return (
    <>
      <A href={workloadPath(workload)} title={`${workload.kind} ${workload.namespace ?? ''}/${workload.name}, pod ${pod.name}`}>
        {printable(`${pod.namespace}/${shortName(pod.name, 34)}`)}
      </A>
      {volumeBound ? <span class="widgets-muted"> with a volume</span> : null}
    </>
  )
}

/** While it is planned why it is; afterwards its state says what there is to say. */
function Why({ move: { because, action } }: { move: Move }) {
  return (
    <>
      <SentenceText of={because} />
      {action === 'surge' ? ', the new pod first' : ''}
    </>
  )
}
