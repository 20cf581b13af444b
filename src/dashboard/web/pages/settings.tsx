// The effective configuration, to be read; and what this viewer may do.
import type { Me, SettingRow } from '../../contract.ts'
import { apiPath } from '../../words/links.ts'
import { PageTitle } from '../frame/page-title.tsx'
import { signOut } from '../live/requests.ts'
import { useAnswer } from '../widgets/answered.ts'
import { DataTable } from '../widgets/data-table.tsx'
import { StateNote } from '../widgets/state-note.tsx'
import type { Column } from '../widgets/table-props.ts'

const columns: readonly Column<SettingRow>[] = [
  { key: 'key', title: 'Setting', isHeader: true, cell: ({ key }) => <code>{key}</code>, value: ({ key }) => key, width: '40%' },
  { key: 'value', title: 'Value', cell: ({ value }) => <code>{value}</code>, value: ({ value }) => value },
  { key: 'origin', title: 'From', cell: ({ origin }) => origin, value: ({ origin }) => origin, width: '20%' },
]

export function SettingsPage() {
  const settings = useAnswer<readonly SettingRow[]>(apiPath(['settings']))
  const me = useAnswer<Me>(apiPath(['me']))
  return (
    <>
      <PageTitle text="Settings" />
      <p>What holds now, read only. It is changed where it comes from.</p>
      <div class="nodes-pods">
        <StateNote topic={settings} what="settings" retry={settings.reload}>
          {rows => (
            <DataTable
              caption="Settings"
              captionHidden
              columns={columns}
              rows={rows}
              rowKey={({ key }) => key}
              empty={<p class="drawn-quiet">Nothing is set: all is as it comes.</p>}
            />
          )}
        </StateNote>
      </div>
      <section class="overview-section" aria-labelledby="me">
        <h2 id="me">You</h2>
        <StateNote topic={me} what="your rights" retry={me.reload}>
          {viewer => <Rights viewer={viewer} />}
        </StateNote>
      </section>
    </>
  )
}

function Rights({ viewer }: { viewer: Me }) {
  const rights = Object.entries(viewer.can)
  const isSignedIn = document.documentElement.dataset['auth'] === 'token'
  return (
    <>
      <p>
        You are <b>{viewer.name}</b>
        {viewer.groups.length === 0 ? '' : `, of ${viewer.groups.join(', ')}`}.{' '}
        {isSignedIn ? (
          <button type="button" class="widgets-button" onClick={() => void signOut().then(() => location.reload())}>
            Sign out
          </button>
        ) : null}
      </p>
      {rights.length === 0 ? (
        <p class="drawn-quiet">Actions are switched off.</p>
      ) : (
        <ul class="nodes-words">
          {rights.map(([action, { allowed, because }]) => (
            <li key={action}>
              <span aria-hidden="true">{allowed ? '✓' : '✕'}</span> {action}
              {allowed ? ': allowed' : `: ${because ?? 'not allowed'}`}
            </li>
          ))}
        </ul>
      )}
    </>
  )
}
