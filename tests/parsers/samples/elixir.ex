defmodule Shop.Cart do
  # INCOMMENT sums the prices
  def total(items) do
    sum = Enum.reduce(items, 0, fn item, acc -> acc + item.price end)
    IO.puts("INSTRING")
    sum + INBLOCK
  end
end
