import { useState } from "react";

// INCOMMENT a counter
export function Counter({ start }: { start: number }) {
  const [count, setCount] = useState(start);
  const label = "INSTRING";
  const up = () => {
    setCount(count + INBLOCK);
  };
  return <button onClick={up}>{label}: {count}</button>;
}
