/** Starts the page. */
import './styles.css'
import { render } from 'preact'
import { App } from './app.js'
import { loadMessages } from './messages/messages.js'
import { loadSession } from './state/session.js'
import { startTheme } from './state/theme.js'

startTheme()
void loadSession()
await loadMessages()
const place = document.getElementById('app')
if (place !== null) render(<App />, place)
