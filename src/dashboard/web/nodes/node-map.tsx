// Many nodes as tiles on a canvas: how much is requested by lightness and hatch, a ring where a goal is missed, a dot where it drains.
import { useEffect, useId, useMemo, useRef, useState } from 'preact/hooks'
import type { Goal, NodeRow } from '../../contract.ts'
import { nodeStateText, sizeText } from '../../words/en.ts'
import { nodePath } from '../../words/links.ts'
import { go } from '../frame/router.tsx'
import { theme } from '../frame/theme.ts'
import { now } from '../frame/time.ts'
import { type MapLayout, mapLayout, tileAfterKey, tileAt } from './map-layout.ts'
import { goalsByNode, type Resource, requestedShare, shortfallOf } from './node-order.ts'

interface NodeMapProps {
  /** In the order of the tiles. */
  nodes: readonly NodeRow[]
  goals: readonly Goal[]
  resource: Resource
  pods: number | null
}

/** From so much on a tile is hatched, so that it can be told in print. */
const hatchedFrom = 85

export function NodeMap({ nodes, goals, resource, pods }: NodeMapProps) {
  const frame = useRef<HTMLDivElement>(null)
  const canvas = useRef<HTMLCanvasElement>(null)
  const [width, setWidth] = useState(0)
  const [cursor, setCursor] = useState(-1)
  const id = useId()
  const layout = useMemo(() => mapLayout(nodes, width), [nodes, width])
  const held = useMemo(() => goalsByNode(goals), [goals])
  const shade = theme.value

  useEffect(() => {
    const element = frame.current
    if (element === null) return
    const observer = new ResizeObserver(() => setWidth(Math.floor(element.clientWidth)))
    observer.observe(element)
    return () => observer.disconnect()
  }, [])
  useEffect(() => {
    if (canvas.current === null || width === 0) return
    const context = canvas.current.getContext('2d')
    // Many changes of one frame are drawn once.
    const drawing = requestAnimationFrame(() => {
      if (context !== null) draw(context, { layout, held, resource, cursor, width })
    })
    return () => cancelAnimationFrame(drawing)
  }, [layout, held, resource, cursor, width, shade])

  const textOf = (node: NodeRow) => nodeText(node, resource, shortfallOf(node, held.get(node.name) ?? []) > 0)
  const chosen = layout.tiles[cursor]?.node
  const name = `${sizeText({ nodes: nodes.length, pods })}: one tile a node, the darker the more ${resourceWords[resource]} is requested`
  return (
    <div class="nodes-map" ref={frame}>
      <div
        class="nodes-map-cursor"
        role="listbox"
        tabIndex={0}
        aria-label={name}
        aria-activedescendant={chosen === undefined ? undefined : `${id}-tile`}
        onFocus={() => cursor < 0 && setCursor(0)}
        onKeyDown={event => {
          if (event.key === 'Enter' && chosen !== undefined) {
            event.preventDefault()
            go(nodePath(chosen.name))
            return
          }
          const next = tileAfterKey(event.key, cursor, layout)
          if (next === undefined) return
          event.preventDefault()
          setCursor(next)
        }}
        onMouseMove={event => setCursor(tileAt(layout, event.offsetX, event.offsetY))}
        onMouseLeave={() => setCursor(-1)}
        onClick={() => chosen !== undefined && go(nodePath(chosen.name))}
      >
        <canvas
          ref={canvas}
          class="nodes-canvas"
          width={width * pixelRatio()}
          height={layout.height * pixelRatio()}
          style={{ width: `${width}px`, height: `${layout.height}px` }}
        />
        {chosen === undefined ? null : (
          <div
            id={`${id}-tile`}
            class="frame-unseen"
            role="option"
            aria-selected="true"
            aria-posinset={cursor + 1}
            aria-setsize={layout.tiles.length}
            tabIndex={-1}
          >
            {textOf(chosen)}
          </div>
        )}
      </div>
      <p class="nodes-map-note">{chosen === undefined ? 'Point at a tile, or walk with the arrow keys.' : textOf(chosen)}</p>
    </div>
  )
}

const pixelRatio = (): number => Math.min(2, globalThis.devicePixelRatio)

const resourceWords = { cpu: 'CPU', memory: 'memory', pods: 'room for pods' } as const satisfies Readonly<
  Record<Resource, string>
>

function nodeText(node: NodeRow, resource: Resource, isMissed: boolean): string {
  const share = requestedShare(node, resource)
  const state = nodeStateText(node, now.peek())
  const parts = [
    `${node.name}: ${share === null ? 'unknown' : `${Math.trunc(share)}%`} ${resource === 'pods' ? 'of its pods' : `of its ${resourceWords[resource]} requested`}`,
    ...(isMissed ? ['misses a goal'] : []),
    ...(state === 'Ready' ? [] : [state]),
  ]
  return parts.join(', ')
}

interface Drawing {
  readonly layout: MapLayout
  readonly held: ReadonlyMap<string, readonly Goal[]>
  readonly resource: Resource
  readonly cursor: number
  readonly width: number
}

/** Five steps between the ground and the colour of what is used. */
const bands = [12, 30, 50, 72, 100]

function draw(context: CanvasRenderingContext2D, { layout, held, resource, cursor, width }: Drawing): void {
  const style = getComputedStyle(context.canvas)
  const color = (name: string) => style.getPropertyValue(name)
  const [text, ground, over, line] = [style.color, style.backgroundColor, style.outlineColor, style.borderTopColor]
  const ratio = pixelRatio()
  context.setTransform(ratio, 0, 0, ratio, 0, 0)
  context.clearRect(0, 0, width, layout.height)
  context.font = `600 13px ${color('font-family')}`
  context.fillStyle = text
  for (const { title, y, count } of layout.groups) context.fillText(`${title}  ${count}`, 0, y)
  const { size } = layout
  for (const [index, { node, x, y }] of layout.tiles.entries()) {
    const share = requestedShare(node, resource)
    context.globalAlpha = share === null ? 0.06 : (bands[Math.min(4, Math.floor(share / 20))] ?? 100) / 100
    context.fillStyle = style.accentColor === 'auto' ? text : style.accentColor
    context.fillRect(x, y, size, size)
    context.globalAlpha = 1
    if (share !== null && share > hatchedFrom) hatch(context, { x, y, size, color: ground })
    if (shortfallOf(node, held.get(node.name) ?? []) > 0) outline(context, { x, y, size, color: over, lineWidth: 2 })
    else outline(context, { x, y, size, color: line, lineWidth: 0.5 })
    if (node.draining || node.ready === false) dot(context, { x: x + size / 2, y: y + size / 2, size, color: over, ground })
    if (index === cursor) outline(context, { x: x - 2, y: y - 2, size: size + 4, color: text, lineWidth: 2 })
  }
}

interface Square {
  readonly x: number
  readonly y: number
  readonly size: number
  readonly color: string
}

function hatch(context: CanvasRenderingContext2D, { x, y, size, color }: Square): void {
  context.strokeStyle = color
  context.lineWidth = 1
  context.beginPath()
  for (let at = 4; at < size * 2; at += 4) {
    context.moveTo(x + Math.max(0, at - size), y + Math.min(at, size))
    context.lineTo(x + Math.min(at, size), y + Math.max(0, at - size))
  }
  context.stroke()
}

function outline(
  context: CanvasRenderingContext2D,
  { x, y, size, color, lineWidth }: Square & { readonly lineWidth: number },
): void {
  context.strokeStyle = color
  context.lineWidth = lineWidth
  context.strokeRect(x + lineWidth / 2, y + lineWidth / 2, size - lineWidth, size - lineWidth)
}

function dot(context: CanvasRenderingContext2D, { x, y, size, color, ground }: Square & { readonly ground: string }): void {
  context.fillStyle = ground
  context.beginPath()
  context.arc(x, y, size / 4 + 1, 0, 2 * Math.PI)
  context.fill()
  context.fillStyle = color
  context.beginPath()
  context.arc(x, y, size / 4, 0, 2 * Math.PI)
  context.fill()
}
