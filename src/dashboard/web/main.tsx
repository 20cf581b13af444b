// The page comes alive: what the server drew is taken over, the stream is opened.
import { render } from 'preact'
import type { Overview } from '../contract.ts'
import { startBeats } from './frame/beats.ts'
import { Frame } from './frame/frame.tsx'
import './frame/tokens.css'
import './frame/frame.css'
import './drawn/drawn.css'
import { startKeptFocus } from './frame/kept-focus.ts'
import { startKeys } from './frame/keys.ts'
import { fetchAhead } from './frame/pages.tsx'
import { startRouter } from './frame/router.tsx'
import { startTheme } from './frame/theme.ts'
import { startClock } from './frame/time.ts'
import { startLive } from './live/live.ts'

/** The overview that the server embedded; none where it asks for a token first. */
function embedded(): Overview | undefined {
  const text = document.getElementById('first')?.textContent
  const first: Overview | undefined = text === null || text === undefined ? undefined : JSON.parse(text)
  return first
}

const page = document.getElementById('page')
if (page !== null) {
  startTheme()
  startRouter()
  startKeys()
  startKeptFocus()
  startBeats()
  startLive(embedded())
  startClock()
  // What the server drew is the same as what comes: it is replaced in one step, without a repaint in between.
  page.replaceChildren()
  render(<Frame />, page)
  document.documentElement.dataset['alive'] = 'true'
  fetchAhead()
}
