// The page that people see while a target starts. It is whole without a script; with one it is kept up to date, and goes on by itself.
import { createHash } from 'node:crypto'
import type { Progress } from './cold-start.ts'
import { retryAfterSeconds } from './ready-estimate.ts'
import { pageScript, pageStyle } from './wait-page-assets.ts'
import { type WaitView, waitView } from './wait-view.ts'

/** Under every host that has a page: what keeps it up to date. */
export const progressPath = '/.ballast/progress'

/** Seconds until a browser without scripts asks again. A client of the page counts as waiting for 30 s, so that it is asked for before. */
const leastRefreshSeconds = 2
const mostRefreshSeconds = 20
const standardRefreshSeconds = 5

/** Characters of a name or host that are shown. */
const longestName = 120

interface PageAnswer {
  readonly status: 503
  /** Names and values by turns. */
  readonly headers: readonly string[]
  readonly body: string
}

interface PageSubject {
  /** What starts, as people call it. */
  readonly name: string
  /** As the client wrote it. */
  readonly host: string
  /** Path and query that the client asked for. */
  readonly target: string
  readonly progress: Progress | undefined
}

/**
 * Whether somebody looks at the answer: a browser that opens a page by GET. `headers` are names and values by turns. Whatever a script, an
 * image or a form asks is held as a machine's request is.
 */
export function wantsPage(method: string, headers: readonly string[]): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false
  let mode: string | undefined
  let upgrades = false
  let takesHtml = false
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at]?.toLowerCase()
    const value = headers[at + 1] ?? ''
    if (name === 'sec-fetch-mode') mode = value.trim().toLowerCase()
    else if (name === 'upgrade-insecure-requests') upgrades = value.trim() === '1'
    else if (name === 'accept') takesHtml ||= value.split(',').some(isHtml)
  }
  // Browsers tell the mode to https and localhost alone. Where a host has no certificate they say only this, and only when they open pages.
  return takesHtml && (mode === undefined ? upgrades : mode === 'navigate')
}

/** `text/html;q=0` says that it is not taken. */
function isHtml(range: string): boolean {
  const [type = '', ...parameters] = range.split(';').map(part => part.trim().toLowerCase())
  return type === 'text/html' && !parameters.some(one => /^q\s*=\s*0(?:\.0*)?$/.test(one))
}

/** Where the page asks how far it is. The target routes as it did for the page. */
export function progressUrl(target: string): string {
  return `${progressPath}?for=${encodeURIComponent(target.toWellFormed())}`
}

/** What a URL of {@link progressUrl} is about: path and query; undefined: it is none. */
export function progressSubject(url: string): string | undefined {
  if (!url.startsWith(`${progressPath}?`)) return undefined
  const target = new URLSearchParams(url.slice(progressPath.length + 1)).get('for')
  return target?.startsWith('/') === true ? target : undefined
}

/** The page, as an answer. For HEAD the body is left away by whoever sends it. */
export function waitPage(subject: PageSubject): PageAnswer {
  const { progress } = subject
  const headers = [
    ...['Content-Type', 'text/html; charset=utf-8'],
    ...['Retry-After', String(retryAfterSeconds(progress?.etaMs))],
    ...['Cache-Control', 'no-store'],
    ...['Vary', 'Accept, Sec-Fetch-Mode, Upgrade-Insecure-Requests'],
    ...['Content-Security-Policy', policy()],
    ...['X-Content-Type-Options', 'nosniff'],
    ...['Referrer-Policy', 'no-referrer'],
    ...['X-Robots-Tag', 'noindex'],
  ]
  return { status: 503, headers, body: pageText(subject, waitView(progress)) }
}

let madePolicy: string | undefined

/** Style and script are those of this page and no others, by their hashes. */
function policy(): string {
  const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
  madePolicy ??= [
    "default-src 'none'",
    `style-src ${hash(pageStyle)}`,
    `script-src ${hash(pageScript)}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'self'",
  ].join('; ')
  return madePolicy
}

/** Seconds until a browser without scripts asks again. */
export function refreshSeconds(etaMs: number | undefined): number {
  if (etaMs === undefined) return standardRefreshSeconds
  return Math.min(mostRefreshSeconds, Math.max(leastRefreshSeconds, Math.ceil(etaMs / 1_000)))
}

function pageText({ name, host, target, progress }: PageSubject, view: WaitView): string {
  const title = `${shownName(name)} is starting`
  const bar = view.percent === null ? '' : ` value="${view.percent}"`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<noscript><meta http-equiv="refresh" content="${refreshSeconds(progress?.etaMs)}"></noscript>
<title>${escaped(title)}</title>
<link rel="icon" href="${icon}">
<style>${pageStyle}</style>
</head>
<body data-progress="${escaped(progressUrl(target))}">
<main>
<h1><span class="dot" aria-hidden="true"></span>${escaped(title)}</h1>
<p id="left" class="left">${escaped(view.left)}</p>
<progress id="bar" max="100"${bar} aria-label="How far the start is"></progress>
<p id="sentence" class="sentence" role="status">${escaped(view.sentence)}</p>
<p id="trouble" class="trouble" role="alert"${view.trouble === null ? ' hidden' : ''}>${escaped(view.trouble ?? '')}</p>
<ol id="stages">${view.stages.map(stageText).join('')}</ol>
<footer><p id="elapsed">${escaped(view.elapsed)}</p>
<p><strong>${escaped(shownName(host))}</strong> opens here as soon as it is ready.</p></footer>
</main>
<script>${pageScript}</script>
</body>
</html>
`
}

function stageText({ label, state, time }: WaitView['stages'][number]): string {
  const current = state === 'now' ? ' aria-current="step"' : ''
  return `<li class="${state}"${current}><span>${escaped(label)}</span><time>${escaped(time)}</time></li>`
}

/** A sun that comes up; without it browsers would ask the target for an icon, and wait. */
const icon =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='5' fill='%23e0861a'/%3E%3C/svg%3E"

function shownName(name: string): string {
  const line = name.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').trim()
  return line.length > longestName ? `${line.slice(0, longestName - 1)}…` : line
}

function escaped(text: string): string {
  return text.toWellFormed().replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}
