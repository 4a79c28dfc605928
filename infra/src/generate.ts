import { generateInto } from "./buf.ts";
import { layoutOf } from "./layout.ts";

const layout = layoutOf();
if (!(await generateInto(layout, layout.root))) process.exitCode = 1;
