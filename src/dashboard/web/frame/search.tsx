// The search of the header: names of nodes, workloads, plans and permits.
import { useId, useRef, useState } from 'preact/hooks'
import type { SearchHit } from '../../contract.ts'
import { apiPath } from '../../words/links.ts'
import { ApiProblem, getJson } from '../live/requests.ts'
import { useKey } from './keys.ts'
import { go } from './router.tsx'

const quietMs = 120
const hitsShown = 12

type Found = { readonly hits: readonly SearchHit[]; readonly text: string } | { readonly failed: string }

export function Search() {
  const field = useRef<HTMLInputElement>(null)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  const asking = useRef<AbortController>(undefined)
  const [found, setFound] = useState<Found>()
  const [active, setActive] = useState(-1)
  const id = useId()
  useKey('/', 'Search', () => field.current?.select())

  const close = () => {
    clearTimeout(timer.current)
    asking.current?.abort(closed)
    setFound(undefined)
    setActive(-1)
  }
  const ask = async (text: string) => {
    asking.current?.abort(closed)
    const controller = new AbortController()
    asking.current = controller
    try {
      const hits = await getJson<readonly SearchHit[]>(apiPath(['search'], { q: text, limit: hitsShown }), controller.signal)
      setFound({ hits, text })
      setActive(hits.length > 0 ? 0 : -1)
    } catch (error) {
      if (error === closed) return
      if (!(error instanceof ApiProblem)) throw error
      setFound({ failed: error.message })
    }
  }
  const open = (hit: SearchHit | undefined) => {
    if (hit === undefined) return
    if (field.current !== null) field.current.value = ''
    close()
    go(hit.path)
  }
  const hits = found !== undefined && 'hits' in found ? found.hits : []
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (step !== 0 && hits.length > 0) {
      event.preventDefault()
      setActive((active + step + hits.length) % hits.length)
    } else if (event.key === 'Enter') {
      event.preventDefault()
      open(hits[active])
    } else if (event.key === 'Escape') {
      event.preventDefault()
      if (found === undefined) field.current?.blur()
      close()
    }
  }
  return (
    <search class="frame-search">
      <svg class="frame-search-sign" width="18" height="18" viewBox="0 0 18 18" aria-hidden="true">
        <path d="M12.5 7.5a5 5 0 1 1-10 0 5 5 0 0 1 10 0zM11 11l5 5" />
      </svg>
      <input
        ref={field}
        type="text"
        role="combobox"
        class="frame-search-field"
        placeholder="Search  /"
        aria-label="Search nodes, workloads, plans and permits"
        aria-expanded={found !== undefined}
        aria-controls={`${id}-hits`}
        aria-activedescendant={active >= 0 ? `${id}-${active}` : undefined}
        aria-autocomplete="list"
        autocomplete="off"
        spellcheck={false}
        maxLength={253}
        onInput={event => {
          const text = event.currentTarget.value.trim()
          clearTimeout(timer.current)
          if (text === '') close()
          else timer.current = setTimeout(() => void ask(text), quietMs)
        }}
        onKeyDown={onKeyDown}
        onBlur={close}
      />
      <div id={`${id}-hits`} class="frame-hits" role="listbox" aria-label="Found" hidden={found === undefined}>
        {hits.map((hit, index) => (
          // biome-ignore lint/a11y/useFocusableInteractive: as above
          // biome-ignore lint/a11y/useKeyWithClickEvents: the field takes the keys
          <div
            key={hit.path}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === active}
            class="frame-hit"
            onMouseDown={event => event.preventDefault()}
            onClick={() => open(hit)}
          >
            <span class="frame-hit-kind">{hit.kind}</span> {hit.text}
          </div>
        ))}
        {found !== undefined && hits.length === 0 ? (
          <div class="frame-hit frame-hit-none" role="option" aria-selected={false} aria-disabled="true" tabIndex={-1}>
            {'failed' in found ? found.failed : `Nothing is called ${JSON.stringify(found.text)}.`}
          </div>
        ) : null}
      </div>
    </search>
  )
}

const closed = new Error('another search, or none')
