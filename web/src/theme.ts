// Runs before the first paint, so that a dark page does not flash white. A file of its own because
// the content security policy allows no inline script.

import { followSystem } from "./theme-choice";

followSystem();
