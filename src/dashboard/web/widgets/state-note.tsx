import type { ReadonlySignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { ApiError } from '../../contract.ts'
import { printable } from '../../words/names.ts'
import { PageTitle } from '../frame/page-title.tsx'
import { SentenceText } from './sentence-text.tsx'
import { When } from './when.tsx'
import './widgets.css'

/** What `useTopic` gives: a value as it is kept up to date, and how it stands with it. */
export interface Shown<T> {
  readonly value: ReadonlySignal<T | undefined>
  readonly state: ReadonlySignal<'loading' | 'live' | 'stale' | 'error' | 'forbidden' | 'gone'>
  readonly error: ReadonlySignal<ApiError['error'] | undefined>
}

interface StateNoteProps<T> {
  topic: Shown<T>
  /** Heads the page as long as there is no value that has its own heading. */
  title?: string
  /** What is shown, in the plural: `permits`. */
  what: string
  /** What `Try again` does; without it there is no such button. */
  retry?: (() => void) | undefined
  /** Since when a stale value is not renewed. */
  asOf?: string | null
  children: (value: T) => ComponentChildren
  /** Said below the message of what is gone. */
  gone?: ComponentChildren
}

/** A value in every state that it can be in; the words are those of the dashboard's document. */
export function StateNote<T>(props: StateNoteProps<T>) {
  const { topic, title, children } = props
  const isShown = topic.value.value !== undefined && topic.state.value !== 'forbidden' && topic.state.value !== 'gone'
  return (
    <>
      {title === undefined || isShown ? null : <PageTitle text={title} />}
      <State {...props}>{children}</State>
    </>
  )
}

function State<T>({ topic, what, retry, asOf, children, gone }: StateNoteProps<T>) {
  const value = topic.value.value
  const state = topic.state.value
  const error = topic.error.value
  if (state === 'forbidden')
    return (
      <div class="widgets-state" data-state="forbidden">
        <p>{printable(error?.message ?? `You may not see ${what}.`)}</p>
        {error?.remedy ? <p class="widgets-muted">{printable(error.remedy)}</p> : null}
      </div>
    )
  if (state === 'gone')
    return (
      <div class="widgets-state" data-state="gone">
        <p>
          <SentenceText of={{ text: error?.message ?? `There are no such ${what}.`, links: error?.links ?? [] }} />
        </p>
        {error?.remedy ? <p class="widgets-muted">{printable(error.remedy)}</p> : null}
        {gone}
      </div>
    )
  if (value === undefined) return state === 'error' ? <Failed error={error} what={what} retry={retry} /> : <Loading what={what} />
  return (
    <>
      {state === 'error' ? <Failed error={error} what={what} retry={retry} /> : null}
      {state === 'stale' ? (
        <p class="widgets-note" role="status">
          {asOf ? (
            <>
              as of <When at={asOf} />
            </>
          ) : (
            'This is not kept up to date now.'
          )}
        </p>
      ) : null}
      {children(value)}
    </>
  )
}

function Failed({ error, what, retry }: { error: ApiError['error'] | undefined; what: string; retry: (() => void) | undefined }) {
  return (
    <div class="widgets-state" data-state="error" role="alert">
      <p>
        {printable(error?.message ?? `${what} could not be read.`)} {error === undefined ? null : <code>{error.code}</code>}
      </p>
      {error?.remedy ? <p class="widgets-muted">{printable(error.remedy)}</p> : null}
      {retry === undefined ? null : (
        <button type="button" class="widgets-button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  )
}

const outlineAfterMs = 300
const slowAfterMs = 5_000

/** Space is kept at once, its outline comes after 300 ms, and after 5 s the words say why. */
function Loading({ what }: { what: string }) {
  const [phase, setPhase] = useState<'space' | 'outline' | 'slow'>('space')
  useEffect(() => {
    const timers = [setTimeout(() => setPhase('outline'), outlineAfterMs), setTimeout(() => setPhase('slow'), slowAfterMs)]
    return () => timers.forEach(clearTimeout)
  }, [])
  return (
    <div class="widgets-loading" data-phase={phase} aria-busy="true" role="status">
      {phase === 'space' ? null : phase === 'outline' ? `Loading ${what}…` : 'Still loading; the API server answers slowly.'}
    </div>
  )
}
