import { address, setQuery } from '../frame/router.tsx'
import { type Filter, type FilterDefinition, filtersOfAddress } from './filters.ts'
import { narrow } from './narrow.ts'
import './widgets.css'

interface ChipsProps {
  definitions: readonly FilterDefinition[]
  /** Values to choose from, with how many rows each has; of a filter that is not in it nothing is offered, its chip is shown. */
  choices: Readonly<Record<string, Readonly<Record<string, number>>>>
}

/** The filters of a page: a menu for each, and a chip for each that is on. They live in the address. */
export function Chips({ definitions, choices }: ChipsProps) {
  const { filters, dropped } = filtersOfAddress(address.value.query, definitions)
  const off = definitions.filter(({ name }) => !filters.some(filter => filter.name === name) && choices[name] !== undefined)
  return (
    <fieldset class="widgets-chips">
      <legend class="frame-unseen">Filters</legend>
      {filters.map(filter => (
        <Chip key={filter.name} filter={filter} label={labelOf(definitions, filter)} />
      ))}
      {off.length === 0 ? null : narrow.value ? (
        <details class="widgets-more-filters">
          <summary>{filters.length === 0 ? 'Filters' : `More filters (${filters.length} on)`}</summary>
          <div>
            <Menus definitions={off} choices={choices} />
          </div>
        </details>
      ) : (
        <Menus definitions={off} choices={choices} />
      )}
      {filters.length > 1 ? (
        <button
          type="button"
          class="widgets-link"
          onClick={() => setQuery(Object.fromEntries(filters.map(({ name }) => [name, null])))}
        >
          Clear all
        </button>
      ) : null}
      {dropped.length === 0 ? null : (
        <p class="widgets-note" role="status">
          {dropped.join(' ')}
        </p>
      )}
    </fieldset>
  )
}

function Menus({ definitions, choices }: ChipsProps) {
  return (
    <>
      {definitions.map(({ name, label }) => (
        <select
          key={name}
          class="widgets-select"
          aria-label={`Filter by ${label}`}
          value=""
          onChange={event => setFilter(name, event.currentTarget.value)}
        >
          <option value="">{label}</option>
          {Object.entries(choices[name] ?? {}).map(([value, rows]) => (
            <option key={value} value={value}>{`${value} (${rows})`}</option>
          ))}
        </select>
      ))}
    </>
  )
}

/** Puts a filter into the address; the table begins anew. */
export function setFilter(name: string, value: string): void {
  setQuery({ [name]: value === '' ? null : value, cursor: null })
}

function Chip({ filter: { name, value }, label }: { filter: Filter; label: string }) {
  return (
    <button
      type="button"
      class="widgets-chip"
      aria-label={`Remove the filter ${label} ${value}`}
      onClick={() => setQuery({ [name]: null, cursor: null })}
    >
      <span class="widgets-chip-label">{label}</span> {value}
      <span aria-hidden="true"> ✕</span>
    </button>
  )
}

function labelOf(definitions: readonly FilterDefinition[], { name }: Filter): string {
  return definitions.find(definition => definition.name === name)?.label ?? name
}
