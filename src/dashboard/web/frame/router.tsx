// Which page is shown: the address as a signal, links that change it without loading anew, and where the focus goes afterwards.
import { signal } from '@preact/signals'
import type { AnchorHTMLAttributes, ComponentChildren } from 'preact'
import { belowBase, onHost } from './base-path.ts'
import { type Address, addressOf } from './routes.ts'

const here = (): Address => addressOf(belowBase(location.pathname) ?? '/', location.search)

/** Page, parts of the path, and query of the address. */
export const address = signal<Address>(here())

/** Grows with each change of page: whoever shows a page moves the focus to its heading when it has changed. */
export const visits = signal(0)

/**
 * Shows another page of ours, `/plan/a?x=y`. A page of the past stays there, unless the path says otherwise (`at=`).
 * `replace` changes the address without a step in the history: for filters.
 */
export function go(path: string, options: { readonly replace?: boolean } = {}): void {
  const target = new URL(keepingMoment(path), 'http://page.invalid')
  const before = address.value
  const url = onHost(target.pathname) + target.search + target.hash
  if (options.replace === true) history.replaceState(null, '', url)
  else history.pushState(null, '', url)
  address.value = here()
  if (before.path !== address.value.path) arrived()
}

function arrived(): void {
  visits.value++
  scrollTo(0, 0)
}

/** Like `path`, at the moment that is shown now. */
export function keepingMoment(path: string): string {
  const at = address.value.query.get('at')
  if (at === null) return path
  const target = new URL(path, 'http://page.invalid')
  if (!target.searchParams.has('at')) target.searchParams.set('at', at)
  return target.pathname + target.search + target.hash
}

/** Changes single keys of the query; null removes one. */
export function setQuery(changes: Readonly<Record<string, string | null>>, options: { readonly replace?: boolean } = {}): void {
  const query = new URLSearchParams(address.value.query)
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) query.delete(key)
    else query.set(key, value)
  }
  const text = query.toString()
  const url = onHost(address.value.path) + (text === '' ? '' : `?${text}`)
  if (options.replace ?? true) history.replaceState(null, '', url)
  else history.pushState(null, '', url)
  address.value = here()
}

/** A link below the base path that stays in this page. */
export function A({ href, children, ...others }: { href: string; children: ComponentChildren } & AnchorHTMLAttributes) {
  return (
    <a {...others} href={onHost(keepingMoment(href))}>
      {children}
    </a>
  )
}

/** Takes clicks on links to our own pages, wherever they were drawn, and the browser's Back and Forward. */
export function startRouter(): void {
  addEventListener('popstate', () => {
    const before = address.value
    address.value = here()
    if (before.path !== address.value.path) visits.value++
  })
  document.addEventListener('click', event => {
    const link = event.target instanceof Element ? event.target.closest('a') : null
    if (link === null || !isPlainClick(event) || !isOurs(link)) return
    event.preventDefault()
    const path = belowBase(link.pathname) ?? '/'
    if (link.href !== location.href) go(path + link.search + link.hash)
  })
}

const isPlainClick = (event: MouseEvent): boolean =>
  !event.defaultPrevented && event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey

function isOurs(link: HTMLAnchorElement): boolean {
  if (link.origin !== location.origin || link.target !== '' || link.hasAttribute('download')) return false
  const path = belowBase(link.pathname)
  if (path === undefined || path.startsWith('/api/')) return false
  return !(link.hash !== '' && link.pathname === location.pathname && link.search === location.search)
}
