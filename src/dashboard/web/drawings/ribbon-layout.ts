// Where the ribbons of a plan lie: nodes that lose pods on the left, nodes that gain on the right, a ribbon for each pair. Pixels.
import type { Flow } from '../../contract.ts'

export interface RibbonEnd {
  readonly node: string
  readonly pods: number
  readonly y: number
  readonly height: number
}

export interface Ribbon {
  readonly flow: Flow
  readonly thickness: number
  /** How much of the thickness, from the top, is done. */
  readonly doneThickness: number
  readonly fromY: number
  readonly toY: number
}

interface RibbonLayout {
  readonly left: readonly RibbonEnd[]
  readonly right: readonly RibbonEnd[]
  readonly ribbons: readonly Ribbon[]
  readonly height: number
}

const pixelsOfPod = 2
const thinnest = 3
const thickest = 60
const gapBetweenRibbons = 6
const gapBetweenNodes = 14
/** Room for the two lines of text of a node. */
const nodeHeight = 34

/** 2 px a pod, at least 3 and at most 60. */
export function ribbonThickness(pods: number): number {
  return Math.min(thickest, Math.max(thinnest, pods * pixelsOfPod))
}

/** Ribbons in the order of `flows` on either side, so that their ends lie in the order of their nodes and few cross. */
export function ribbonLayout(flows: readonly Flow[]): RibbonLayout {
  const left = stack(flows, 'from')
  const right = stack(flows, 'to')
  const height = Math.max(left.height, right.height)
  const shift = { left: (height - left.height) / 2, right: (height - right.height) / 2 }
  return {
    left: left.ends.map(end => ({ ...end, y: end.y + shift.left })),
    right: right.ends.map(end => ({ ...end, y: end.y + shift.right })),
    ribbons: flows.map((flow, index) => {
      const thickness = ribbonThickness(flow.pods)
      return {
        flow,
        thickness,
        doneThickness: flow.pods === 0 ? 0 : (thickness * Math.min(flow.done, flow.pods)) / flow.pods,
        fromY: (left.places[index] ?? 0) + shift.left,
        toY: (right.places[index] ?? 0) + shift.right,
      }
    }),
    height,
  }
}

interface Stack {
  readonly ends: readonly RibbonEnd[]
  /** Top of each flow's ribbon, in the order of the flows. */
  readonly places: readonly number[]
  readonly height: number
}

function stack(flows: readonly Flow[], side: 'from' | 'to'): Stack {
  const other = side === 'from' ? 'to' : 'from'
  const ofNode = Map.groupBy(flows, flow => flow[side])
  const orderOfOther = new Map([...new Set(flows.map(flow => flow[other]))].map((node, index) => [node, index]))
  const ends: RibbonEnd[] = []
  const places = new Map<Flow, number>()
  let y = 0
  for (const [node, own] of ofNode) {
    const inOrder = own.toSorted((a, b) => (orderOfOther.get(a[other]) ?? 0) - (orderOfOther.get(b[other]) ?? 0))
    const thick = inOrder.reduce((sum, flow) => sum + ribbonThickness(flow.pods), gapBetweenRibbons * (own.length - 1))
    const height = Math.max(nodeHeight, thick)
    let at = y + (height - thick) / 2
    for (const flow of inOrder) {
      places.set(flow, at)
      at += ribbonThickness(flow.pods) + gapBetweenRibbons
    }
    ends.push({ node, pods: own.reduce((sum, flow) => sum + flow.pods, 0), y, height })
    y += height + gapBetweenNodes
  }
  return { ends, places: flows.map(flow => places.get(flow) ?? 0), height: Math.max(0, y - gapBetweenNodes) }
}

/** The ribbon's outline as the `d` of a path: two curves and the straight ends, from `left` to `right`. */
export function ribbonPath(
  { fromY, toY }: Pick<Ribbon, 'fromY' | 'toY'>,
  thickness: number,
  left: number,
  right: number,
): string {
  const middle = (left + right) / 2
  return [
    `M${left} ${fromY}`,
    `C${middle} ${fromY} ${middle} ${toY} ${right} ${toY}`,
    `L${right} ${toY + thickness}`,
    `C${middle} ${toY + thickness} ${middle} ${fromY + thickness} ${left} ${fromY + thickness}Z`,
  ].join(' ')
}

/** The middle line, along which a pod's mark travels. `part` is 0 at the left and 1 at the right. */
export function pointOnRibbon(
  { fromY, toY, thickness }: Pick<Ribbon, 'fromY' | 'toY' | 'thickness'>,
  left: number,
  right: number,
  part: number,
): { readonly x: number; readonly y: number } {
  const middle = (left + right) / 2
  const [before, after] = [fromY + thickness / 2, toY + thickness / 2]
  const rest = 1 - part
  const bezier = (a: number, b: number, c: number, d: number) =>
    rest ** 3 * a + 3 * rest ** 2 * part * b + 3 * rest * part ** 2 * c + part ** 3 * d
  return { x: bezier(left, middle, middle, right), y: bezier(before, before, after, after) }
}
