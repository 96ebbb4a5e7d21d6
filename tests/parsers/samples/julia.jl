module Shop

# INCOMMENT sums the prices
function total(prices)
    sum = 0
    for price in prices
        sum += price + INBLOCK
    end
    println("INSTRING")
    return sum
end

end
