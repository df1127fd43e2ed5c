-- The number that a stored text is, or nil unless it is a whole number in plain digits: INCRBY and its kin fail on all
-- else, and must never do so after a first write. What somebody has damaged by hand reads as missing.
local function whole(text)
    local number = tonumber(text)
    if number and string.format('%.0f', number) == text then
        return number
    end
    return nil
end
