// Replicas over time, drawn in columns of a terminal: each column is as high as the most that there were in its share of the time.
import { formatTime } from '#kube/time/time.ts'

const eighths = ['', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']
const mostRows = 8

/** Lines of at most `columns`. Zero is a dot on the ground, one pod is never less than an eighth. */
export function replicaChart(
  replicas: readonly number[],
  { fromMs, toMs, columns }: { readonly fromMs: number; readonly toMs: number; readonly columns: number },
): readonly string[] {
  const most = replicas.reduce((best, count) => Math.max(best, count), 0)
  const labelWidth = String(most).length
  const width = Math.max(1, Math.min(columns - labelWidth - 2, replicas.length))
  const heights = Array.from({ length: width }, (_none, at) => {
    const share = replicas.slice(Math.floor((at * replicas.length) / width), Math.floor(((at + 1) * replicas.length) / width))
    return share.reduce((best, count) => Math.max(best, count), 0)
  })
  const rows = Math.max(1, Math.min(mostRows, most))
  const lines = Array.from({ length: rows }, (_none, index) => {
    const row = rows - 1 - index
    const label = index === 0 ? String(most) : ''
    const cells = heights.map(height => {
      if (height === 0) return row === 0 ? '·' : ' '
      const filled = Math.max(1, Math.round((height / most) * rows * 8)) - row * 8
      return eighths[Math.max(0, Math.min(8, filled))] || ' '
    })
    return `${label.padStart(labelWidth)} ${cells.join('')}`.trimEnd()
  })
  const [start, end] = [formatTime(fromMs), formatTime(toMs)]
  const gap = ' '.repeat(Math.max(1, width - start.length - end.length))
  return [...lines, `${' '.repeat(labelWidth)} ${start}${gap}${end}`]
}
