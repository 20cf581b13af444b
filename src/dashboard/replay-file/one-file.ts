// A replay as one HTML file: data, script and looks in it, nothing asked of any network. Without a script it reads as pictures and a table.
import { createHash } from 'node:crypto'
import type { Sentence } from '../contract.ts'
import type { ReplayView } from '../contract-replay.ts'
import { dataBlock, escaped, htmlOf } from '../page/html.ts'
import { plainReplay } from '../page/plain/plain-replay.ts'
import { element } from '../web/drawn/markup.ts'
import { printable } from '../words/names.ts'

/** Bytes of data in a file. Pools that can be looked into are left out beyond it. */
const largestReplayBytes = 8 * 1024 * 1024

interface ReplayFileParts {
  /** As the bundle has them. */
  readonly script: string
  readonly styles: string
}

/**
 * `views`: the whole first, then pools that can be looked into, as many as there is room for. Links lead nowhere from a file, so that none is in
 * it. `undefined`: even the first is larger than a file may be.
 */
export function replayHtml(views: readonly ReplayView[], { script, styles }: ReplayFileParts): string | undefined {
  const [whole] = views.map(withoutLinks)
  if (whole === undefined) return undefined
  const kept = fitting(views.map(withoutLinks))
  if (kept.length === 0) return undefined
  // A script tag ends where its text says so, whatever the script means by it.
  const safeScript = script.replaceAll('</script', '<\\/script').replaceAll('<!--', '<\\!--')
  const title = printable(`Replay ${whole.plan} · ${whole.cluster}`)
  const policy = [
    "default-src 'none'",
    `script-src '${hashOf(safeScript)}'`,
    `style-src '${hashOf(styles)}'`,
    'img-src data: blob:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ')
  const surroundings = { nowMs: Date.parse(whole.madeAt), zone: 'UTC', link: (path: string) => path }
  const plain = element('noscript', {}, ...plainReplay(whole, surroundings))
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${escaped(policy)}">`,
    `<title>${escaped(title)}</title>`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    '<link rel="icon" href="data:,">',
    `<style>${styles}</style></head>`,
    `<body><main id="main" class="frame-main"><h1 class="frame-title">${escaped(printable(`Replay ${whole.plan}`))}</h1>`,
    `<div id="player">${htmlOf(plain)}</div></main>`,
    dataBlock('replay', kept),
    `<script type="module">${safeScript}</script>`,
    '</body></html>',
    '',
  ].join('\n')
}

/** From the first on, as many as have room. */
function fitting(views: readonly ReplayView[]): readonly ReplayView[] {
  let bytes = 0
  const kept: ReplayView[] = []
  for (const view of views) {
    bytes += Buffer.byteLength(JSON.stringify(view))
    if (bytes > largestReplayBytes) break
    kept.push(view)
  }
  return kept
}

function withoutLinks(view: ReplayView): ReplayView {
  const plain = (sentence: Sentence): Sentence => ({ ...sentence, links: [] })
  return {
    ...view,
    tiles: view.tiles.map(tile => ({
      ...tile,
      because: plain(tile.because),
      remedy: tile.remedy === null ? null : plain(tile.remedy),
    })),
    steps: view.steps.map(step => ({
      ...step,
      text: plain(step.text),
      why: plain(step.why),
      proof: plain(step.proof),
      refusals: step.refusals.map(plain),
    })),
    before: view.before.map(plain),
    afterwards: view.afterwards.map(plain),
    notes: view.notes.map(plain),
  }
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`
}
