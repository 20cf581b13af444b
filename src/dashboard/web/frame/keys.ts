// Keys that do something anywhere on the page. They never act inside a field, and the single letters can be switched off.
import { signal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { keep, kept } from './kept.ts'

interface KeyHelp {
  /** As it is pressed: `?`, `g p` (one after the other), `Shift+P`, `Escape`. */
  readonly key: string
  /** What it does: `Show the plan`. */
  readonly text: string
}

type Handler = (event: KeyboardEvent) => void

const handlers = signal<readonly (KeyHelp & { readonly handler: Handler })[]>([])

/** Whether single letters do anything; kept in the browser. */
export const lettersOn = signal(kept('keys') !== 'off')

export function switchLetters(on: boolean): void {
  lettersOn.value = on
  keep('keys', on ? undefined : 'off')
}

/** The keys that do something now, each once, in the order in which they came. */
export const keysNow = (): readonly KeyHelp[] => {
  const seen = new Map<string, KeyHelp>()
  for (const one of handlers.value) seen.set(one.key, one)
  return [...seen.values()]
}

/** Until the returned function is called, `key` calls `handler`. Of several for one key the latest is called. */
export function onKey(key: string, text: string, handler: Handler): () => void {
  const entry = { key, text, handler }
  handlers.value = [...handlers.peek(), entry]
  return () => {
    handlers.value = handlers.peek().filter(one => one !== entry)
  }
}

/** `onKey` as long as a component is shown. */
export function useKey(key: string, text: string, handler: Handler): void {
  const latest = useRef(handler)
  latest.current = handler
  useEffect(() => onKey(key, text, event => latest.current(event)), [key, text])
}

const sequenceMs = 1500
let pending: { readonly first: string; readonly atMs: number } | undefined

/** How a press is called: `Shift+P`, `?`, `Escape`. */
function nameOf(event: KeyboardEvent): string {
  const isLetter = /^[a-zA-Z]$/.test(event.key)
  return isLetter && event.shiftKey ? `Shift+${event.key.toUpperCase()}` : event.key
}

function isField(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)
}

function onKeydown(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return
  const name = nameOf(event)
  if (isField(event.target) && name !== 'Escape') return
  // A link or a button takes it by itself.
  if (name === 'Enter' && event.target instanceof Element && event.target.closest('a, button, summary') !== null) return
  const isPrintable = event.key.length === 1
  if (isPrintable && !lettersOn.value) return
  if (document.querySelector('dialog[open]') !== null) return
  const sequence = pending !== undefined && performance.now() - pending.atMs < sequenceMs ? `${pending.first} ${name}` : name
  pending = undefined
  const known = handlers.value
  const found = known.findLast(one => one.key === sequence) ?? known.findLast(one => one.key === name)
  if (found !== undefined) {
    event.preventDefault()
    found.handler(event)
  } else if (known.some(one => one.key.startsWith(`${name} `))) pending = { first: name, atMs: performance.now() }
}

export function startKeys(): void {
  addEventListener('keydown', onKeydown)
}
