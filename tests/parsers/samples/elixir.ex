defmodule Cart do
  @moduledoc "INSTRING of a shop"

  alias Shop.Item

  defstruct items: [], tax: 0.2

  # INCOMMENT prices are net
  def total(%Cart{items: items, tax: tax}) do
    subtotal =
      Enum.reduce(items, 0, fn item, sum ->
        sum + item.price
      end)

    if subtotal > 0 do
      subtotal * INBLOCK + tax
    else
      0
    end
  end
end
